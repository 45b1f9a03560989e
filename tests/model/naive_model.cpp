#include "naive_model.hpp"

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

naive_row vector(const model::checkpoint& c, const std::string& name) { return matrix(c, name).at(0); }

/// The linear layer `name`, with its bias if there is one.
naive_row linear(const model::checkpoint& c, const std::string& name, const naive_row& x) {
  const auto weight = matrix(c, name + ".weight");
  auto y = c.has(name + ".bias") ? vector(c, name + ".bias") : naive_row(weight.size());
  for (size_t o = 0; o < weight.size(); ++o)
    for (size_t i = 0; i < x.size(); ++i) y[o] += weight[o][i] * x[i];
  return y;
}

naive_row rms_norm(const model::checkpoint& c, const std::string& name, double eps, const naive_row& x) {
  const auto weight = vector(c, name + ".weight");
  double squares = 0;
  for (const auto v : x) squares += v * v;
  naive_row y;
  for (size_t i = 0; i < x.size(); ++i) y.push_back(weight[i] * x[i] / std::sqrt(squares / double(x.size()) + eps));
  return y;
}

naive_row layer_norm(const model::checkpoint& c, const std::string& name, double eps, const naive_row& x) {
  const auto weight = vector(c, name + ".weight"), bias = vector(c, name + ".bias");
  double mean = 0, variance = 0;
  for (const auto v : x) mean += v / double(x.size());
  for (const auto v : x) variance += (v - mean) * (v - mean) / double(x.size());
  naive_row y;
  for (size_t i = 0; i < x.size(); ++i) y.push_back((x[i] - mean) / std::sqrt(variance + eps) * weight[i] + bias[i]);
  return y;
}

naive_row sum(naive_row a, const naive_row& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

naive_row piece(const naive_row& x, size_t begin, size_t size) {
  return {x.begin() + static_cast<ptrdiff_t>(begin), x.begin() + static_cast<ptrdiff_t>(begin + size)};
}

/// softmax over j <= i of (q · k[j] / sqrt(D) + bias(i, j)), times v.
naive_row attend(
  const naive_row& q, const naive_rows& k, const naive_rows& v, size_t i, const std::function<double(size_t)>& bias) {
  naive_row weights;
  double total = 0;
  for (size_t j = 0; j <= i; ++j) {
    double score = bias(j);
    for (size_t d = 0; d < q.size(); ++d) score += q[d] * k[j][d] / std::sqrt(double(q.size()));
    weights.push_back(std::exp(score));
    total += weights.back();
  }
  naive_row y(q.size());
  for (size_t j = 0; j <= i; ++j)
    for (size_t d = 0; d < q.size(); ++d) y[d] += weights[j] / total * v[j][d];
  return y;
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
naive_row turn(const naive_row& x, double position, double theta) {
  auto y = x;
  const auto half = x.size() / 2;
  for (size_t d = 0; d < half; ++d) {
    const auto angle = position * std::pow(theta, -2.0 * double(d) / double(x.size()));
    const auto turned = std::complex(x[d], x[d + half]) * std::polar(1.0, angle);
    y[d] = turned.real();
    y[d + half] = turned.imag();
  }
  return y;
}

/// Slope of head h: 2^(-8 (h + 1) / n) for the first n heads, n a power of two; the others take the odd terms of that for 2n.
double slope(int64_t h, int64_t heads) {
  int64_t n = 1;
  while (2 * n <= heads) n *= 2;
  return h < n ? std::exp2(-8.0 * double(h + 1) / double(n)) : std::exp2(-8.0 * double(2 * (h - n) + 1) / double(2 * n));
}

}  // namespace

naive_rows naive_llama_block(const model::checkpoint& c, int index, const naive_rows& hidden) {
  const auto& config = c.config();
  const size_t H = config.at("num_attention_heads"), K = config.at("num_key_value_heads"), D = config.at("head_dim");
  const double eps = config.at("rms_norm_eps"), theta = config.at("rope_theta");
  const bool is_scaled = config.contains("rope_scaling") && config["rope_scaling"].is_object();
  const double stretch = is_scaled ? config["rope_scaling"].at("factor").get<double>() : 1.0;  // linear
  const std::string act = config.value("hidden_act", "silu"), layer = "layers." + std::to_string(index) + '.';
  std::vector<naive_rows> k(K), v(K);
  naive_rows result;
  for (size_t i = 0; i < hidden.size(); ++i) {
    const auto x = rms_norm(c, layer + "input_layernorm", eps, hidden[i]);
    const auto q = linear(c, layer + "self_attn.q_proj", x), new_k = linear(c, layer + "self_attn.k_proj", x);
    const auto new_v = linear(c, layer + "self_attn.v_proj", x);
    for (size_t h = 0; h < K; ++h) {
      k[h].push_back(turn(piece(new_k, h * D, D), double(i) / stretch, theta));
      v[h].push_back(piece(new_v, h * D, D));
    }
    naive_row attended;
    for (size_t h = 0; h < H; ++h) {
      const auto shared = h / (H / K);
      const auto query = turn(piece(q, h * D, D), double(i) / stretch, theta);
      const auto y = attend(query, k[shared], v[shared], i, [](size_t) { return 0.0; });
      attended.insert(attended.end(), y.begin(), y.end());
    }
    const auto middle = sum(hidden[i], linear(c, layer + "self_attn.o_proj", attended));
    const auto z = rms_norm(c, layer + "post_attention_layernorm", eps, middle);
    auto gated = linear(c, layer + "mlp.gate_proj", z);
    const auto up = linear(c, layer + "mlp.up_proj", z);
    for (size_t n = 0; n < gated.size(); ++n) gated[n] = activate(act, gated[n]) * up[n];
    result.push_back(sum(middle, linear(c, layer + "mlp.down_proj", gated)));
  }
  return result;
}

naive_rows naive_bloom_block(const model::checkpoint& c, int index, const naive_rows& hidden) {
  const auto& config = c.config();
  const size_t H = config.at("n_head"), C = config.at("hidden_size"), D = C / H;
  const double eps = config.at("layer_norm_epsilon");
  const bool from_norm = config.value("apply_residual_connection_post_layernorm", false);
  const auto layer = "h." + std::to_string(index) + '.';
  std::vector<naive_rows> k(H), v(H);
  naive_rows result;
  for (size_t i = 0; i < hidden.size(); ++i) {
    const auto x = layer_norm(c, layer + "input_layernorm", eps, hidden[i]);
    const auto qkv = linear(c, layer + "self_attention.query_key_value", x);  // head by head: q, k, v
    naive_row attended;
    for (size_t h = 0; h < H; ++h) {
      k[h].push_back(piece(qkv, (3 * h + 1) * D, D));
      v[h].push_back(piece(qkv, (3 * h + 2) * D, D));
      const auto away = [&](size_t j) { return -slope(int64_t(h), int64_t(H)) * double(i - j); };
      const auto y = attend(piece(qkv, 3 * h * D, D), k[h], v[h], i, away);
      attended.insert(attended.end(), y.begin(), y.end());
    }
    const auto middle = sum(from_norm ? x : hidden[i], linear(c, layer + "self_attention.dense", attended));
    const auto z = layer_norm(c, layer + "post_attention_layernorm", eps, middle);
    auto inner = linear(c, layer + "mlp.dense_h_to_4h", z);
    for (auto& n : inner) n = activate("gelu_pytorch_tanh", n);
    result.push_back(sum(from_norm ? z : middle, linear(c, layer + "mlp.dense_4h_to_h", inner)));
  }
  return result;
}

naive_rows naive_llama_embed(const model::checkpoint& c, const std::vector<int64_t>& ids) {
  const auto table = matrix(c, "embed_tokens.weight");
  naive_rows rows;
  for (const auto id : ids) rows.push_back(table.at(static_cast<size_t>(id)));
  return rows;
}

naive_rows naive_llama_logits(const model::checkpoint& c, const naive_rows& hidden) {
  const auto* head = c.config().value("tie_word_embeddings", false) ? "embed_tokens" : "lm_head";
  naive_rows rows;
  for (const auto& x : hidden)
    rows.push_back(linear(c, head, rms_norm(c, "norm", c.config().at("rms_norm_eps").get<double>(), x)));
  return rows;
}

naive_rows naive_bloom_embed(const model::checkpoint& c, const std::vector<int64_t>& ids) {
  const auto table = matrix(c, "word_embeddings.weight");
  const double eps = c.config().at("layer_norm_epsilon");
  naive_rows rows;
  for (const auto id : ids)
    rows.push_back(layer_norm(c, "word_embeddings_layernorm", eps, table.at(static_cast<size_t>(id))));
  return rows;
}

naive_rows naive_bloom_logits(const model::checkpoint& c, const naive_rows& hidden) {
  const double eps = c.config().at("layer_norm_epsilon");
  naive_rows rows;
  for (const auto& x : hidden) rows.push_back(linear(c, "word_embeddings", layer_norm(c, "ln_f", eps, x)));
  return rows;
}

}  // namespace corolla::tests
