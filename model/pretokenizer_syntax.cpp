// Rewrites Oniguruma's syntax as PCRE2's.
#include <stdexcept>
#include <vector>

#include "model/pretokenizer_regex.hpp"
#include "model/tokenizer_utf8.hpp"

namespace corolla::model {

namespace {

// Insides of classes.  PCRE2's own \s has U+180E too, its \w neither marks nor the letter-like symbols.
constexpr std::string_view white_space =
    R"(\t-\r\x20\x85\xA0\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})";
constexpr std::string_view no_white_space =
    R"(\x00-\x08\x0E-\x1F\x21-\x84\x86-\x9F\xA1-\x{167F}\x{1681}-\x{1FFF}\x{200B}-\x{2027}\x{202A}-\x{202E})"
    R"(\x{2030}-\x{205E}\x{2060}-\x{2FFF}\x{3001}-\x{10FFFF})";
constexpr std::string_view word = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\xB2\xB3\xB9\xBC-\xBE)";
constexpr std::string_view hexadecimal = "0-9A-Fa-f";

[[noreturn]] void refuse(const std::string& what) {
  throw std::invalid_argument(what + " is not supported");
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}
bool is_letter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

class rewriter {
 public:
  explicit rewriter(std::string_view pattern) : in_(pattern) {}

  std::string run() {
    groups_.push_back({});
    while (!done()) item();
    if (groups_.size() != 1) throw std::invalid_argument("a group is not closed");
    out_.append(groups_.back().options, ')');
    return std::move(out_);
  }

 private:
  /// A group being read: where it begins in out_, and how many (?i) in it are still to be closed.
  struct group {
    size_t begin = 0;
    size_t options = 0;
  };
  static constexpr size_t max_depth = 100;

  bool done() const { return at_ >= in_.size(); }
  char peek(size_t ahead = 0) const { return at_ + ahead < in_.size() ? in_[at_ + ahead] : '\0'; }
  bool starts(std::string_view text) const { return in_.substr(at_).starts_with(text); }

  void copy(size_t count) {
    out_ += in_.substr(at_, count);
    at_ += count;
  }

  void item() {
    const auto begin = out_.size();
    switch (peek()) {
      case '\\':
        atom_ = begin;
        ++at_;
        return escape();
      case '[':
        atom_ = begin;
        ++at_;
        return void(out_ += character_class(1));
      case '(':
        return open_group();
      case ')':
        return close_group();
      case '{':
        return interval();
      case '*':
      case '+':
      case '?':
      case '|':
      case '^':
      case '$':
        return copy(1);
      default:
        atom_ = begin;
        copy(character_at(in_, at_).size);
    }
  }

  void open_group() {
    if (groups_.size() > max_depth) refuse("a group this deep");
    static constexpr std::string_view kinds[] = {"(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!"};
    for (const auto kind : kinds) {
      if (starts(kind)) {
        groups_.push_back({out_.size()});
        return copy(kind.size());
      }
    }
    if (starts("(?")) return options();
    groups_.push_back({out_.size()});
    ++at_;
    out_ += "(?:";  // nothing refers to what was captured
  }

  /// (?i) or (?i: …), also with m, which lets the dot match a new line, and -.
  void options() {
    auto end = at_ + 2;
    std::string flags;
    for (; end < in_.size() && (in_[end] == 'i' || in_[end] == 'm' || in_[end] == '-'); ++end)
      flags += in_[end] == 'm' ? 's' : in_[end];
    if (flags.empty() || end >= in_.size() || (in_[end] != ':' && in_[end] != ')'))
      refuse("the group " + std::string(in_.substr(at_, 4)));
    if (in_[end] == ')')
      ++groups_.back().options;  // holds to the end of the group, whose alternatives it takes in
    else
      groups_.push_back({out_.size()});
    out_ += "(?" + flags + ":";
    at_ = end + 1;
  }

  void close_group() {
    if (groups_.size() == 1) throw std::invalid_argument("a group is closed that was not opened");
    out_.append(groups_.back().options + 1, ')');
    atom_ = groups_.back().begin;
    groups_.pop_back();
    ++at_;
  }

  /// {n}, {n,}, {n,m} or {,m}; anything else in braces stands for itself.
  void interval() {
    auto end = at_ + 1;
    const auto digits = [&] {
      const auto begin = end;
      while (end < in_.size() && is_digit(in_[end])) ++end;
      return std::string(in_.substr(begin, end - begin));
    };
    auto low = digits();
    const bool comma = end < in_.size() && in_[end] == ',';
    if (comma) ++end;
    const auto high = comma ? digits() : std::string();
    if (end >= in_.size() || in_[end] != '}' || (low.empty() && high.empty())) {
      atom_ = out_.size();
      out_ += "\\{";
      ++at_;
      return;
    }
    if (low.empty()) low += '0';
    out_ += "{" + low + (comma ? "," + high : "") + "}";
    at_ = end + 1;
    if (!comma && peek() == '?') refuse("the quantifier {n}?");
    if (peek() == '+') {  // PCRE2 would read a possessive interval: here the interval itself repeats
      out_.insert(atom_, "(?:");
      out_ += ")";
    }
  }

  /// What a backslash begins, outside of classes.
  void escape() {
    switch (const char c = peek()) {
      case 's':
        return set("[", white_space);
      case 'S':
        return set("[^", white_space);
      case 'w':
        return set("[", word);
      case 'W':
        return set("[^", word);
      case 'h':
        return set("[", hexadecimal);
      case 'H':
        return set("[^", hexadecimal);
      case 'b':
      case 'B':
        return boundary(c == 'b');
      case 'A':
      case 'z':
      case 'Z':
        out_ += '\\';
        return copy(1);
      default:
        character_escape();
    }
  }

  void set(std::string_view open, std::string_view content) {
    out_ += open;
    out_ += content;
    out_ += ']';
    ++at_;
  }

  void boundary(bool wanted) {
    const std::string w = "[" + std::string(word) + "]";
    out_ += wanted ? "(?:(?<=" + w + ")(?!" + w + ")|(?<!" + w + ")(?=" + w + "))"
                   : "(?:(?<=" + w + ")(?=" + w + ")|(?<!" + w + ")(?!" + w + "))";
    ++at_;
  }

  /// Escapes that mean the same in and out of a class.  True for one that stands for a set.
  bool character_escape() {
    const char c = peek();
    if (done()) throw std::invalid_argument("the pattern ends in a backslash");
    if (c == 'v') {
      out_ += "\\x0B";
      ++at_;
    } else if (c == 'u') {
      hexadecimal_escape();
    } else if (c == 'x') {
      out_ += '\\';
      copy(1);
    } else if (c == 'p' || c == 'P') {
      property();
      return true;
    } else if (is_digit(c) || (is_letter(c) && std::string_view("dDnrtfae").find(c) == std::string_view::npos)) {
      refuse(std::string("\\") + c);
    } else {
      out_ += '\\';
      copy(character_at(in_, at_).size);
    }
    return c == 'd' || c == 'D';
  }

  void hexadecimal_escape() {
    for (size_t i = 1; i <= 4; ++i)
      if (!is_hex(peek(i))) throw std::invalid_argument("\\u needs four hexadecimal digits");
    out_ += "\\x{" + std::string(in_.substr(at_ + 1, 4)) + "}";
    at_ += 5;
  }

  void property() {
    const auto end = in_.find('}', at_);
    if (peek(1) != '{' || end == std::string_view::npos) throw std::invalid_argument("a property needs braces");
    out_ += '\\';
    copy(end + 1 - at_);
  }

  /// A class behind its opening bracket, with the classes inside it poured into one.
  std::string character_class(size_t depth) {
    if (depth > max_depth) refuse("a class this deep");
    std::string outer;
    std::swap(out_, outer);  // the parts write to out_
    bool negated = peek() == '^';
    if (negated) ++at_;
    bool single = false;  // the part before is one character, so that a range may follow
    for (bool first = true;; first = false) {
      if (done()) throw std::invalid_argument("a class is not closed");
      if (peek() == ']' && !first) break;
      single = class_part(single, depth);
    }
    ++at_;
    std::swap(out_, outer);
    if (depth > 1) {
      if (negated) refuse("a negated class inside a class");
      return outer;
    }
    return (negated ? "[^" : "[") + outer + "]";
  }

  bool class_part(bool after_single, size_t depth) {
    if (starts("&&")) refuse("an intersection of classes");
    switch (peek()) {
      case '[':
        if (starts("[:") && in_.find(":]", at_) != std::string_view::npos) return named_class();
        ++at_;
        out_ += character_class(depth + 1);
        return false;
      case '\\':
        ++at_;
        return class_escape();
      case '-':
        return hyphen(after_single);
      case ']':
      case '^':
        out_ += '\\';
        copy(1);
        return true;
      default:
        copy(character_at(in_, at_).size);
        return true;
    }
  }

  /// [:alpha:] and the like.
  bool named_class() {
    static constexpr std::pair<std::string_view, std::string_view> names[] = {
        {"[:alpha:]", R"(\p{Alphabetic})"}, {"[:alnum:]", R"(\p{Alphabetic}\p{Nd})"},
        {"[:digit:]", R"(\p{Nd})"},         {"[:lower:]", R"(\p{Lowercase})"},
        {"[:upper:]", R"(\p{Uppercase})"},  {"[:punct:]", R"(\p{P}\p{S})"},
        {"[:space:]", white_space},         {"[:word:]", word},
        {"[:xdigit:]", hexadecimal},
    };
    for (const auto& [name, content] : names) {
      if (starts(name)) {
        out_ += content;
        at_ += name.size();
        return false;
      }
    }
    refuse("the class " + std::string(in_.substr(at_, in_.find(":]", at_) + 2 - at_)));
  }

  /// A hyphen makes a range only between two characters; anywhere else it is one itself.
  bool hyphen(bool after_single) {
    const char next = peek(1);
    const bool set_follows =
        next == '[' || (next == '\\' && std::string_view("sSwWhHdDpP").find(peek(2)) != std::string_view::npos);
    if (after_single && next != ']' && next != '\0' && !set_follows) {
      copy(1);
      if (peek() == '\\') {
        ++at_;
        class_escape();
      } else {
        copy(character_at(in_, at_).size);
      }
      return false;
    }
    out_ += "\\-";
    ++at_;
    return true;
  }

  /// What a backslash begins inside a class.  True for one character.
  bool class_escape() {
    const auto pour = [this](std::string_view content) {
      out_ += content;
      ++at_;
      return false;
    };
    switch (peek()) {
      case 's':
        return pour(white_space);
      case 'S':
        return pour(no_white_space);
      case 'w':
        return pour(word);
      case 'h':
        return pour(hexadecimal);
      case 'b':
        out_ += "\\x08";
        ++at_;
        return true;
      default:
        return !character_escape();
    }
  }

  std::string_view in_;
  size_t at_ = 0;
  std::string out_;
  size_t atom_ = 0;  // where in out_ the last thing begins that can be repeated
  std::vector<group> groups_;
};

}  // namespace

std::string pcre2_syntax(std::string_view pattern) {
  return rewriter(pattern).run();
}

}  // namespace corolla::model
