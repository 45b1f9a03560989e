#include "tests/model/naive_model.hpp"

#include <cmath>
#include <complex>
#include <functional>
#include <stdexcept>
#include <string>

namespace corolla::tests {

namespace {

naive_rows matrix(const model::checkpoint& c, const std::string& name) {
  const auto t = c.load(name, model::dtype::float32);
  const auto values = t.as<float>();
  const auto columns = static_cast<size_t>(t.rank() == 1 ? t.dim(0) : t.dim(1));
  naive_rows rows;
  for (size_t i = 0; i < values.size(); i += columns)
    rows.emplace_back(values.begin() + static_cast<ptrdiff_t>(i), values.begin() + static_cast<ptrdiff_t>(i + columns));
  return rows;
}

naive_row vector(const model::checkpoint& c, const std::string& name) {
  return matrix(c, name).at(0);
}

/// Each row through the linear layer `name`, with its bias if there is one.
naive_rows linear(const model::checkpoint& c, const std::string& name, const naive_rows& rows) {
  const auto weight = matrix(c, name + ".weight");
  const auto bias = c.has(name + ".bias") ? vector(c, name + ".bias") : naive_row(weight.size());
  naive_rows result;
  for (const auto& x : rows) {
    auto y = bias;
    for (size_t o = 0; o < weight.size(); ++o)
      for (size_t i = 0; i < x.size(); ++i) y[o] += weight[o][i] * x[i];
    result.push_back(y);
  }
  return result;
}

naive_rows rms_norm(const model::checkpoint& c, const std::string& name, double eps, naive_rows rows) {
  const auto weight = vector(c, name + ".weight");
  for (auto& x : rows) {
    double squares = 0;
    for (const auto v : x) squares += v * v;
    const auto root = std::sqrt(squares / double(x.size()) + eps);
    for (size_t i = 0; i < x.size(); ++i) x[i] *= weight[i] / root;
  }
  return rows;
}

naive_rows layer_norm(const model::checkpoint& c, const std::string& name, double eps, naive_rows rows) {
  const auto weight = vector(c, name + ".weight"), bias = vector(c, name + ".bias");
  for (auto& x : rows) {
    double mean = 0, variance = 0;
    for (const auto v : x) mean += v / double(x.size());
    for (const auto v : x) variance += (v - mean) * (v - mean) / double(x.size());
    for (size_t i = 0; i < x.size(); ++i) x[i] = (x[i] - mean) / std::sqrt(variance + eps) * weight[i] + bias[i];
  }
  return rows;
}

naive_rows sum(naive_rows a, const naive_rows& b) {
  for (size_t t = 0; t < a.size(); ++t)
    for (size_t i = 0; i < a[t].size(); ++i) a[t][i] += b[t][i];
  return a;
}

naive_row piece(const naive_row& x, size_t begin, size_t size) {
  return {x.begin() + static_cast<ptrdiff_t>(begin), x.begin() + static_cast<ptrdiff_t>(begin + size)};
}

/// Of one head: y[i] = softmax over j <= i of (q[i] · k[j] / sqrt(D) + bias(i - j)), times v.
naive_rows attend(
    const naive_rows& q, const naive_rows& k, const naive_rows& v, const std::function<double(size_t)>& bias) {
  naive_rows result;
  for (size_t i = 0; i < q.size(); ++i) {
    naive_row weights, y(q[i].size());
    double total = 0;
    for (size_t j = 0; j <= i; ++j) {
      double score = bias(i - j);
      for (size_t d = 0; d < y.size(); ++d) score += q[i][d] * k[j][d] / std::sqrt(double(y.size()));
      weights.push_back(std::exp(score));
      total += weights.back();
    }
    for (size_t j = 0; j <= i; ++j)
      for (size_t d = 0; d < y.size(); ++d) y[d] += weights[j] / total * v[j][d];
    result.push_back(y);
  }
  return result;
}

/// Elements [begin, begin + size) of every row.
naive_rows columns(const naive_rows& rows, size_t begin, size_t size) {
  naive_rows result;
  for (const auto& row : rows) result.push_back(piece(row, begin, size));
  return result;
}

/// Appends each row of `right` to its row of `left`.
void append(naive_rows& left, const naive_rows& right) {
  left.resize(right.size());
  for (size_t t = 0; t < right.size(); ++t) left[t].insert(left[t].end(), right[t].begin(), right[t].end());
}

double activate(const std::string& name, double x) {
  const auto tanh_gelu = 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  if (name == "silu") return x / (1 + std::exp(-x));
  if (name == "gelu") return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
  if (name == "gelu_pytorch_tanh") return tanh_gelu;
  if (name == "relu") return x > 0 ? x : 0;
  throw std::logic_error("no such activation");
}

/// Components d and d + D / 2 are one complex number, turned by an angle that grows with the position.
naive_rows turn(naive_rows rows, double theta, double stretch) {
  for (size_t t = 0; t < rows.size(); ++t) {
    auto& x = rows[t];
    const auto half = x.size() / 2;
    for (size_t d = 0; d < half; ++d) {
      const auto angle = double(t) / stretch * std::pow(theta, -2.0 * double(d) / double(x.size()));
      const auto turned = std::complex(x[d], x[d + half]) * std::polar(1.0, angle);
      x[d] = turned.real();
      x[d + half] = turned.imag();
    }
  }
  return rows;
}

/// Slope of head h: 2^(-8 (h + 1) / n) for the first n heads, n a power of two; the others take the odd terms of that
/// for 2n.
double slope(int64_t h, int64_t heads) {
  int64_t n = 1;
  while (2 * n <= heads) n *= 2;
  return h < n ? std::exp2(-8.0 * double(h + 1) / double(n))
               : std::exp2(-8.0 * double(2 * (h - n) + 1) / double(2 * n));
}

}  // namespace

naive_rows naive_llama_block(const model::checkpoint& c, int index, const naive_rows& hidden) {
  const auto& config = c.config();
  const size_t H = config.at("num_attention_heads"), K = config.at("num_key_value_heads"), D = config.at("head_dim");
  const double eps = config.at("rms_norm_eps"), theta = config.at("rope_theta");
  const bool is_scaled = config.contains("rope_scaling") && config["rope_scaling"].is_object();
  const double stretch = is_scaled ? config["rope_scaling"].at("factor").get<double>() : 1.0;  // linear
  const std::string act = config.value("hidden_act", "silu"), layer = "layers." + std::to_string(index) + '.';
  const auto x = rms_norm(c, layer + "input_layernorm", eps, hidden);
  const auto q = linear(c, layer + "self_attn.q_proj", x), k = linear(c, layer + "self_attn.k_proj", x);
  const auto v = linear(c, layer + "self_attn.v_proj", x);
  naive_rows attended;
  for (size_t h = 0; h < H; ++h) {
    const auto shared = h / (H / K) * D;
    append(
        attended, attend(
                      turn(columns(q, h * D, D), theta, stretch), turn(columns(k, shared, D), theta, stretch),
                      columns(v, shared, D), [](size_t) { return 0.0; }));
  }
  const auto middle = sum(hidden, linear(c, layer + "self_attn.o_proj", attended));
  const auto z = rms_norm(c, layer + "post_attention_layernorm", eps, middle);
  auto gated = linear(c, layer + "mlp.gate_proj", z);
  const auto up = linear(c, layer + "mlp.up_proj", z);
  for (size_t t = 0; t < gated.size(); ++t)
    for (size_t i = 0; i < gated[t].size(); ++i) gated[t][i] = activate(act, gated[t][i]) * up[t][i];
  return sum(middle, linear(c, layer + "mlp.down_proj", gated));
}

naive_rows naive_bloom_block(const model::checkpoint& c, int index, const naive_rows& hidden) {
  const auto& config = c.config();
  const size_t H = config.at("n_head"), C = config.at("hidden_size"), D = C / H;
  const double eps = config.at("layer_norm_epsilon");
  const bool from_norm = config.value("apply_residual_connection_post_layernorm", false);
  const auto layer = "h." + std::to_string(index) + '.';
  const auto x = layer_norm(c, layer + "input_layernorm", eps, hidden);
  const auto qkv = linear(c, layer + "self_attention.query_key_value", x);  // head by head: q, k, v
  naive_rows attended;
  for (size_t h = 0; h < H; ++h) {
    const auto part = [&](size_t which) { return columns(qkv, (3 * h + which) * D, D); };
    const auto away = [&](size_t distance) { return -slope(int64_t(h), int64_t(H)) * double(distance); };
    append(attended, attend(part(0), part(1), part(2), away));
  }
  const auto middle = sum(from_norm ? x : hidden, linear(c, layer + "self_attention.dense", attended));
  const auto z = layer_norm(c, layer + "post_attention_layernorm", eps, middle);
  auto inner = linear(c, layer + "mlp.dense_h_to_4h", z);
  for (auto& row : inner)
    for (auto& n : row) n = activate("gelu_pytorch_tanh", n);
  return sum(from_norm ? z : middle, linear(c, layer + "mlp.dense_4h_to_h", inner));
}

naive_rows naive_llama_embed(const model::checkpoint& c, const std::vector<int64_t>& ids) {
  const auto table = matrix(c, "embed_tokens.weight");
  naive_rows rows;
  for (const auto id : ids) rows.push_back(table.at(static_cast<size_t>(id)));
  return rows;
}

naive_rows naive_llama_logits(const model::checkpoint& c, const naive_rows& hidden) {
  const double eps = c.config().at("rms_norm_eps");
  const auto* head = c.config().value("tie_word_embeddings", false) ? "embed_tokens" : "lm_head";
  return linear(c, head, rms_norm(c, "norm", eps, hidden));
}

naive_rows naive_bloom_embed(const model::checkpoint& c, const std::vector<int64_t>& ids) {
  const auto table = matrix(c, "word_embeddings.weight");
  naive_rows rows;
  for (const auto id : ids) rows.push_back(table.at(static_cast<size_t>(id)));
  return layer_norm(c, "word_embeddings_layernorm", c.config().at("layer_norm_epsilon").get<double>(), rows);
}

naive_rows naive_bloom_logits(const model::checkpoint& c, const naive_rows& hidden) {
  const double eps = c.config().at("layer_norm_epsilon");
  return linear(c, "word_embeddings", layer_norm(c, "ln_f", eps, hidden));
}

}  // namespace corolla::tests
