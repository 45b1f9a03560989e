"""Writes variants.json: changes to tiny-bloom's tokenizer.json, and what Hugging Face tokenizers gives for some strings."""
import copy, json, os, random
from tokenizers import Tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
BASE = json.load(open(os.path.join(HERE, "tiny-bloom", "tokenizer.json"), encoding="utf-8"))
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
GPT4O = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
CL100K = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]"
          r"|\s+(?!\S)|\s")
BEHAVIORS = ["Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
PIECES = ["hello", " world", "don't", "I'LL", " we've", "foo", "a", "b", "aab", "123", "4567890", "  ", "   ", "\r\n",
          "\n\n", "a.b", "X", "</s>", "Word", "{", "'s", "'ſ", "_", "-", "...", " (", "\t", "é", "e\u0301", "ß", "İ", "ǅ",
          "½", "²", "५", "Ⅷ", "①", "ﬁ", "가힣", "漢字", "カナ", "،", "।", "…", "\u00a0", "\u3000", "\u2028", "\u180e",
          "\u0085", "\u200d", "👍🏽", "👩\u200d💻", "\x1c", "\x00", "¼ ", "Ab", "aB"]


def split(pattern, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def byte_level(space=False, use_regex=False):
    return {"type": "ByteLevel", "add_prefix_space": space, "trim_offsets": True, "use_regex": use_regex}


def sequence(*steps):
    return {"type": "Sequence", "pretokenizers": list(steps)}


def added(content, **flags):
    # The next free id, and the vocabulary's for a token that is in it.
    return {"content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False,
            **flags}


def template(before, behind):
    ids = {"<s>": 1, "</s>": 2}
    token = lambda t: {"SpecialToken": {"id": t, "type_id": 0}}
    return {"type": "TemplateProcessing",
            "single": [*map(token, before), {"Sequence": {"id": "A", "type_id": 0}}, *map(token, behind)],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {t: {"id": t, "ids": [i], "tokens": [t]} for t, i in ids.items()}}


def variants():
    for behavior in BEHAVIORS:
        for invert in (False, True):
            yield f"split {behavior} {invert}", {"pre_tokenizer": sequence(split({"Regex": r"\s+|\p{N}"}, behavior, invert), byte_level())}
        yield f"punctuation {behavior}", {"pre_tokenizer": sequence({"type": "Punctuation", "behavior": behavior}, byte_level())}
    yield "split string", {"pre_tokenizer": sequence(split({"String": "."}), split({"String": " "}, "Removed"), byte_level())}
    patterns = {"llama3": LLAMA3, "gpt4o": GPT4O, "cl100k": CL100K, "words": r"\w+|[^\w\s]+", "no word": r"\W",
                "boundary": r"\bfoo|o\B", "empty matches": r"(?=(\d{3})+(?!\d))", "lines": r"^.|.$", "nested class": r"[\s\p{P}[ab-d]-]",
                "repeated interval": r"\p{N}{2}+", "interval from 0": r"a{,2}b", "hexadecimal": r"\h+", "option": r"a(?i)b|x",
                "posix": r"[[:upper:][:digit:]]+|[[:punct:]]", "no white space": r"[^\S\n]+", "look behind": r"(?<=a)b|(?<!\s)\p{P}"}
    for name, pattern in patterns.items():
        yield f"pattern {name}", {"pre_tokenizer": sequence(split({"Regex": pattern}), byte_level())}
    yield "digits", {"pre_tokenizer": sequence({"type": "Digits", "individual_digits": True}, byte_level(use_regex=True))}
    yield "runs of digits", {"pre_tokenizer": sequence({"type": "Digits", "individual_digits": False}, byte_level())}
    yield "digits of bytes", {"pre_tokenizer": sequence(byte_level(), {"type": "Digits", "individual_digits": True})}
    yield "prefix space", {"pre_tokenizer": byte_level(True, True)}
    yield "prefix space to each", {"pre_tokenizer": sequence(split({"Regex": r"\p{N}+"}), byte_level(True))}
    yield "no pre-tokenizer", {"pre_tokenizer": None, "decoder": None}
    for form in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase"):
        yield form, {"normalizer": {"type": form}}
    yield "replace", {"normalizer": {"type": "Sequence", "normalizers": [
        {"type": "Replace", "pattern": {"String": " "}, "content": "_"}, {"type": "Replace", "pattern": {"Regex": "o+"}, "content": "0"}]}}
    yield "prepend", {"normalizer": {"type": "Prepend", "prepend": "_"}}
    yield "added tokens", {"added_tokens": [added("foo"), added("fooo"), added("Word", special=True), added("aa")]}
    yield "added, single word", {"added_tokens": [added("foo", single_word=True), added("é", single_word=True)]}
    yield "added, strip", {"added_tokens": [added("foo", lstrip=True), added("Word", rstrip=True), added("a.b", lstrip=True, rstrip=True)]}
    yield "added, normalized", {"normalizer": {"type": "Lowercase"}, "added_tokens": [added("foo", normalized=True), added("Word", normalized=False)]}
    yield "unknown dropped", {"pre_tokenizer": None, "model": {"unk_token": None}}
    yield "unknown", {"pre_tokenizer": None, "model": {"unk_token": "<unk>"}}
    yield "unknown fused", {"pre_tokenizer": None, "model": {"unk_token": "<unk>", "fuse_unk": True}}
    yield "merges ignored", {"model": {"ignore_merges": True, "merges": []}}
    yield "merges as strings", {"model": {"merges": [" ".join(m) for m in BASE["model"]["merges"]]}}
    yield "template", {"post_processor": template(["<s>"], ["</s>"])}
    yield "template in a sequence", {"post_processor": {"type": "Sequence", "processors": [
        byte_level(), template(["</s>", "<s>"], ["</s>"])]}}
    yield "joined", {"decoder": {"type": "Sequence", "decoders": [{"type": "Fuse"}]}}


def changed(change):
    """The whole tokenizer.json.  The test does the same."""
    result = copy.deepcopy(BASE)
    for key, value in change.items():
        if key == "model":
            result["model"].update(value)
        elif key == "added_tokens":
            result["added_tokens"] += value
        else:
            result[key] = value
    return result


def main():
    rng = random.Random(1)
    out = []
    for name, change in variants():
        vocabulary, free = BASE["model"]["vocab"], max(BASE["model"]["vocab"].values()) + 1
        for token in change.get("added_tokens", []):
            token["id"] = vocabulary.get(token["content"], free)
            free += token["id"] == free
        hf = Tokenizer.from_str(json.dumps(changed(change)))
        texts = ["".join(rng.choice(PIECES) for _ in range(rng.randrange(4, 20))) for _ in range(8)]
        cases = [{"text": t, "ids": (i := hf.encode(t, add_special_tokens=False).ids), "ids_special": hf.encode(t).ids,
                  "decoded": hf.decode(i, skip_special_tokens=False)} for t in texts]
        out.append({"name": name, "change": change, "cases": cases})
    with open(os.path.join(HERE, "variants.json"), "w", encoding="utf-8") as f:
        json.dump(out, f, indent=0, ensure_ascii=True)
        f.write("\n")


if __name__ == "__main__":
    main()
