// The door's own rules: what a step may be, what fails alone, what happens to the cache.
#include <boost/test/unit_test.hpp>

#include <limits>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "local_model.hpp"
#include "memory_checkpoint.hpp"
#include "naive_model.hpp"

namespace corolla::tests {

namespace {

using model::block_range;
using model::cache_id;
using model::span_options;
using model::span_step;
using model::tensor;

const nlohmann::json config = {{"model_type", "llama"},  {"hidden_size", 16},        {"intermediate_size", 24},
                               {"num_hidden_layers", 3}, {"num_attention_heads", 4}, {"num_key_value_heads", 2},
                               {"head_dim", 4},          {"vocab_size", 20},         {"max_position_embeddings", 40},
                               {"rms_norm_eps", 1e-5},   {"rope_theta", 10000.0}};

struct span_fixture {
  std::unique_ptr<model::span> load(block_range blocks = {0, 3}, span_options options = {}) const {
    return model::span::load(source, blocks, options);
  }

  /// [B, T, C] of numbers that tell rows and positions apart.
  static tensor input(int64_t B, int64_t T, int first = 0) {
    std::vector<float> values;
    for (int64_t i = 0; i < B * T * 16; ++i) values.push_back(static_cast<float>(std::sin(0.7 * double(i) + first)));
    return tensor::of<float>({B, T, 16}, values);
  }

  /// The naive blocks [0, 3) over positions from 0 on; hidden: [1, T, C].
  std::vector<double> naive(const tensor& hidden) const {
    naive_rows rows;
    for (int64_t t = 0; t < hidden.dim(1); ++t) {
      const auto part = hidden.slice(1, t, t + 1);
      rows.emplace_back(part.as<float>().begin(), part.as<float>().end());
    }
    for (int i = 0; i < 3; ++i) rows = naive_llama_block(source, i, rows);
    std::vector<double> flat;
    for (const auto& row : rows) flat.insert(flat.end(), row.begin(), row.end());
    return flat;
  }

  /// Whether the last positions of one row of `output` are those of the naive model over `whole`.
  bool ends_like(const tensor& output, const tensor& whole) const {
    const auto expected = naive(whole);
    const auto size = static_cast<ptrdiff_t>(output.numel());
    return largest_difference(output, std::vector<double>(expected.end() - size, expected.end())) < 1e-4;
  }

  std::vector<model::span_result> run(model::span& s, const std::vector<span_step>& steps) const {
    const std::atomic<bool> stop{false};
    return s.run(steps, stop);
  }

  std::string error_of(model::span& s, const span_step& step) const { return run(s, {step}).at(0).error; }

  memory_checkpoint source = made_up_llama(config);
};

template <class Function>
std::string message_of(const Function& f) {
  try {
    f();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "no exception";
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(span_rules, span_fixture)

BOOST_AUTO_TEST_CASE(a_step_that_does_not_fit_says_why) {
  auto s = load();
  const auto id = s->reserve({0, 3}, 2, 10).value();
  run_one(*s, step_of(id, 0, input(2, 4)));
  BOOST_TEST(holds(error_of(*s, step_of(id + 1, 0, input(2, 1))), "no such session"));
  BOOST_TEST(holds(error_of(*s, step_of(id, 4, input(1, 1))), "[1, 1, 16], but the session takes [2, T, 16]"));
  BOOST_TEST(holds(error_of(*s, step_of(id, 4, input(2, 1).reshaped({2, 16}))), "[2, 16]"));
  BOOST_TEST(holds(error_of(*s, step_of(id, 4, input(2, 1).reshaped({2, 2, 8}))), "[2, 2, 8]"));
  BOOST_TEST(holds(error_of(*s, step_of(id, 5, input(2, 1))), "position 5 is beyond the session's 4 tokens"));
  BOOST_TEST(holds(
      error_of(*s, step_of(id, 4, input(2, 7))), "7 tokens at position 4 are beyond the session's max_length 10"));
  BOOST_TEST(holds(error_of(*s, step_of(id, 4, input(2, 1), {0})), "hypo_ids"));
  BOOST_TEST(holds(error_of(*s, step_of(id, 4, input(2, 1), {0, 2})), "hypo_ids"));
  BOOST_TEST(
      holds(error_of(*s, step_of(id, 4, tensor::of<int64_t>({2, 1, 16}, std::vector<int64_t>(32)))), "float types"));
  auto to_integers = step_of(id, 4, input(2, 1));
  to_integers.output = model::dtype::int32;
  BOOST_TEST(holds(error_of(*s, to_integers), "float types"));
  BOOST_TEST(error_of(*s, step_of(id, 4, input(2, 6))) == "");
}

BOOST_AUTO_TEST_CASE(an_input_that_is_not_finite_is_refused) {
  auto s = load();
  const auto id = s->reserve({0, 3}, 1, 10).value();
  for (const auto bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> values(32, 1.0f);
    values[17] = bad;
    BOOST_TEST(holds(error_of(*s, step_of(id, 0, tensor::of<float>({1, 2, 16}, values))), "not finite"));
  }
}

BOOST_AUTO_TEST_CASE(an_input_that_bfloat16_cannot_hold_is_refused) {
  span_options options;
  options.compute = model::dtype::bfloat16;
  auto s = load({0, 3}, options);
  const auto id = s->reserve({0, 3}, 1, 10).value();
  const std::vector<float> values(16, std::numeric_limits<float>::max());
  BOOST_TEST(holds(error_of(*s, step_of(id, 0, tensor::of<float>({1, 1, 16}, values))), "not finite"));
}

BOOST_AUTO_TEST_CASE(a_failing_step_fails_alone) {
  auto s = load();
  const auto good = s->reserve({0, 3}, 1, 10).value(), other = s->reserve({0, 3}, 1, 4).value();
  const auto results =
      run(*s, {step_of(other, 0, input(1, 5)), step_of(good, 0, input(1, 3)), step_of(99, 0, input(1, 1))});
  BOOST_TEST(!results[0].ok());
  BOOST_TEST_REQUIRE(results[1].ok());
  BOOST_TEST(!results[2].ok());
  BOOST_TEST(ends_like(results[1].hidden, input(1, 3)));
}

BOOST_AUTO_TEST_CASE(a_session_has_one_step_in_a_pass) {
  auto s = load();
  const auto id = s->reserve({0, 3}, 1, 10).value();
  const auto results = run(*s, {step_of(id, 0, input(1, 2)), step_of(id, 0, input(1, 1))});
  BOOST_TEST(results[0].ok());
  BOOST_TEST(holds(results[1].error, "another step in this pass"));
}

BOOST_AUTO_TEST_CASE(a_position_before_the_end_truncates) {
  auto s = load();
  const auto id = s->reserve({0, 3}, 1, 10).value();
  const auto kept = input(1, 3), dropped = input(1, 4, 5), next = input(1, 2, 9);
  run_one(*s, step_of(id, 0, model::concat(std::vector{kept, dropped}, 1)));
  const auto output = run_one(*s, step_of(id, 3, next));
  BOOST_TEST(ends_like(output, model::concat(std::vector{kept, next}, 1)));
  BOOST_TEST(holds(error_of(*s, step_of(id, 6, next)), "beyond the session's 5 tokens"));
}

BOOST_AUTO_TEST_CASE(a_step_of_no_tokens_only_truncates) {
  auto s = load();
  const auto id = s->reserve({0, 3}, 1, 10).value();
  run_one(*s, step_of(id, 0, input(1, 5)));
  const auto output = run_one(*s, step_of(id, 2, tensor(model::dtype::float32, {1, 0, 16}, {})));
  BOOST_TEST(output.dims() == (model::shape{1, 0, 16}), boost::test_tools::per_element());
  BOOST_TEST(holds(error_of(*s, step_of(id, 3, input(1, 1))), "beyond the session's 2 tokens"));
}

BOOST_AUTO_TEST_CASE(hypo_ids_continue_the_rows_they_name) {
  auto s = load();
  const auto past = input(3, 4), next = input(3, 2, 7);
  const std::vector<uint32_t> order = {2, 0, 2};
  const auto id = s->reserve({0, 3}, 3, 10).value();
  run_one(*s, step_of(id, 0, past));
  const auto output = run_one(*s, step_of(id, 3, next, order));
  for (int64_t b = 0; b < 3; ++b) {
    const int64_t from = order[static_cast<size_t>(b)];
    const std::vector parts = {past.slice(0, from, from + 1).slice(1, 0, 3), next.slice(0, b, b + 1)};
    BOOST_TEST(ends_like(output.slice(0, b, b + 1), model::concat(parts, 1)));
  }
}

BOOST_AUTO_TEST_CASE(hypo_ids_alone_reorder) {
  auto s = load();
  const auto past = input(2, 4), next = input(2, 1, 7);
  const auto id = s->reserve({0, 3}, 2, 10).value();
  run_one(*s, step_of(id, 0, past));
  run_one(*s, step_of(id, 4, tensor(model::dtype::float32, {2, 0, 16}, {}), {1, 0}));
  const auto output = run_one(*s, step_of(id, 4, next));
  for (int64_t b = 0; b < 2; ++b)
    BOOST_TEST(ends_like(
        output.slice(0, b, b + 1),
        model::concat(std::vector{past.slice(0, 1 - b, 2 - b), next.slice(0, b, b + 1)}, 1)));
}

BOOST_AUTO_TEST_CASE(parts_of_a_span_chain_as_its_blocks_do) {
  auto s = load({0, 3});
  const auto front = s->reserve({0, 1}, 1, 10).value(), back = s->reserve({1, 3}, 1, 10).value();
  const auto hidden = input(1, 5);
  const auto output = run_one(*s, step_of(back, 0, run_one(*s, step_of(front, 0, hidden))));
  BOOST_TEST(ends_like(output, hidden));
}

BOOST_AUTO_TEST_CASE(steps_over_other_blocks_do_not_share_a_pass) {
  auto s = load();
  const auto front = s->reserve({0, 1}, 1, 10).value(), back = s->reserve({1, 3}, 1, 10).value();
  const auto results = run(*s, {step_of(front, 0, input(1, 1)), step_of(back, 0, input(1, 1))});
  BOOST_TEST(results[0].ok());
  BOOST_TEST(holds(results[1].error, "blocks are not those"));
}

BOOST_AUTO_TEST_CASE(a_pass_that_is_stopped_fails_all_its_steps) {
  auto s = load();
  const auto a = s->reserve({0, 3}, 1, 10).value(), b = s->reserve({0, 3}, 1, 10).value();
  const std::atomic<bool> stop{true};
  for (const auto& result : s->run(std::vector{step_of(a, 0, input(1, 2)), step_of(b, 0, input(1, 1))}, stop))
    BOOST_TEST(result.error == "stopped");
}

BOOST_AUTO_TEST_CASE(pages_are_counted_and_come_back) {
  span_options options;
  options.page_tokens = 4;
  options.cache_tokens = 30;  // 8 pages
  auto s = load({0, 3}, options);
  BOOST_TEST(s->cache_tokens() == 32u);
  BOOST_TEST(s->tokens_needed(3, 5) == 24u);
  const auto id = s->reserve({0, 3}, 3, 5);
  BOOST_TEST_REQUIRE(id.has_value());
  BOOST_TEST(s->free_tokens() == 8u);
  BOOST_TEST(!s->reserve({0, 3}, 3, 1).has_value());
  BOOST_TEST(!s->reserve({0, 3}, 4000000000u, 40).has_value());
  BOOST_TEST(s->reserve({0, 3}, 2, 4).has_value());
  BOOST_TEST(s->free_tokens() == 0u);
  s->release(*id);
  BOOST_TEST(s->free_tokens() == 24u);
  s->release(*id);
  BOOST_TEST(s->free_tokens() == 24u);
}

BOOST_AUTO_TEST_CASE(scattered_pages_compute_the_same) {
  span_options options;
  options.page_tokens = 2;
  options.cache_tokens = 20;
  auto s = load({0, 3}, options);
  std::vector<cache_id> ids;
  for (int i = 0; i < 10; ++i) ids.push_back(s->reserve({0, 3}, 1, 2).value());
  for (const auto i : {0, 2, 4, 6, 7, 8}) s->release(ids[static_cast<size_t>(i)]);
  const auto id = s->reserve({0, 3}, 2, 6).value();  // one row fits a run, the other is in three pieces
  BOOST_TEST(s->free_tokens() == 0u);
  const auto past = input(2, 3), next = input(2, 2, 3);
  run_one(*s, step_of(id, 0, past));
  const auto output = run_one(*s, step_of(id, 3, next, {1, 0}));
  for (int64_t b = 0; b < 2; ++b)
    BOOST_TEST(ends_like(
        output.slice(0, b, b + 1),
        model::concat(std::vector{past.slice(0, 1 - b, 2 - b), next.slice(0, b, b + 1)}, 1)));
  s->release(id);
  for (const auto i : {1, 3, 5, 9}) s->release(ids[static_cast<size_t>(i)]);
  BOOST_TEST(s->free_tokens() == 20u);
}

BOOST_AUTO_TEST_CASE(a_session_goes_on_bit_by_bit_from_keys_and_values_of_another) {
  span_options options;
  options.page_tokens = 2;
  options.cache_tokens = 60;
  for (const auto type : {model::dtype::float32, model::dtype::bfloat16}) {
    options.compute = type;
    auto from = load({0, 3}, options), to = load({0, 3}, options);
    // At the other the pages lie elsewhere, some apart.
    std::vector<cache_id> ids;
    for (int i = 0; i < 30; ++i) ids.push_back(to->reserve({0, 3}, 1, 2).value());
    for (const auto i : {0, 2, 4, 6, 8, 10, 12, 14, 16, 17}) to->release(ids[static_cast<size_t>(i)]);
    const auto one = from->reserve({1, 3}, 2, 9).value(), other = to->reserve({1, 3}, 2, 9).value();
    run_one(*from, step_of(one, 0, input(2, 6)));
    for (const auto& [begin, end] : {std::pair{0u, 4u}, {4u, 5u}})
      for (uint32_t block = 1; block < 3; ++block)
        to->write_cache(other, block, begin, from->read_cache(one, block, begin, end - begin));
    const auto step = input(2, 2, 3);
    const auto expected = run_one(*from, step_of(one, 5, step)), output = run_one(*to, step_of(other, 5, step));
    BOOST_TEST((std::ranges::equal(expected.bytes(), output.bytes())));
  }
}

BOOST_AUTO_TEST_CASE(keys_and_values_that_do_not_fit_are_refused) {
  auto s = load();
  const auto id = s->reserve({1, 3}, 2, 9).value();
  run_one(*s, step_of(id, 0, input(2, 3)));
  BOOST_TEST(s->cache_width() == 16);
  const auto good = s->read_cache(id, 1, 0, 3);
  BOOST_TEST((good.dims() == model::shape{2, 3, 16}));
  const auto text = [&](const auto& f) { return message_of(f); };
  BOOST_TEST(holds(text([&] { s->read_cache(id, 1, 1, 3); }), "of a session that is at 3"));
  BOOST_TEST(holds(text([&] { s->read_cache(id, 0, 0, 1); }), "does not hold block 0"));
  BOOST_TEST(holds(text([&] { s->read_cache(id + 1, 1, 0, 1); }), "does not hold block 1"));
  BOOST_TEST(holds(text([&] { s->write_cache(id, 3, 0, good); }), "does not hold block 3"));
  BOOST_TEST(holds(text([&] { s->write_cache(id, 1, 4, good); }), "at position 4 of a session that is at 3 of 9"));
  BOOST_TEST(holds(text([&] { s->write_cache(id, 1, 0, good.to(model::dtype::bfloat16)); }), "takes float32"));
  BOOST_TEST(holds(text([&] { s->write_cache(id, 1, 0, good.slice(0, 0, 1)); }), "takes float32 of [2, T, 16]"));
  auto values = std::vector<float>(good.as<float>().begin(), good.as<float>().end());
  values[5] = std::numeric_limits<float>::infinity();
  BOOST_TEST(holds(text([&] { s->write_cache(id, 1, 0, tensor::of<float>({2, 3, 16}, values)); }), "not a finite"));
}

BOOST_AUTO_TEST_CASE(a_token_alone_and_among_others_has_the_same_bits_before_attention) {
  // One token attends to itself alone, so that the whole block is row by row.
  auto s = load();
  const auto all = input(9, 1);
  const auto together = run_one(*s, step_of(s->reserve({0, 3}, 9, 1).value(), 0, all));
  for (int64_t b = 0; b < 9; ++b) {
    const auto alone = run_one(*s, step_of(s->reserve({0, 3}, 1, 1).value(), 0, all.slice(0, b, b + 1)));
    BOOST_TEST(largest_difference(alone, together.slice(0, b, b + 1).as<float>()) == 0);
  }
}

BOOST_AUTO_TEST_CASE(sessions_that_cannot_be_are_refused) {
  auto s = load({1, 3});
  BOOST_CHECK_THROW(s->reserve({1, 3}, 0, 5), std::invalid_argument);
  BOOST_CHECK_THROW(s->reserve({1, 3}, 1, 0), std::invalid_argument);
  BOOST_CHECK_THROW(s->reserve({0, 2}, 1, 5), std::invalid_argument);
  BOOST_CHECK_THROW(s->reserve({2, 2}, 1, 5), std::invalid_argument);
  const auto message = message_of([&] { s->reserve({1, 3}, 1, 41); });
  BOOST_TEST(holds(message, "41 positions are more than the model's max_position_embeddings, 40"));
}

BOOST_AUTO_TEST_CASE(options_that_cannot_be_are_refused) {
  const auto message_for = [&](auto change) {
    span_options options;
    change(options);
    return message_of([&] { load({0, 3}, options); });
  };
  BOOST_TEST(holds(message_for([](auto& o) { o.compute = model::dtype::float16; }), "not in float16"));
  BOOST_TEST(holds(message_for([](auto& o) { o.page_tokens = 0; }), "page_tokens"));
  BOOST_TEST(holds(message_for([](auto& o) { o.cache_tokens = 0; }), "cache_tokens"));
  BOOST_TEST(holds(message_for([](auto& o) { o.cache_tokens = ~uint64_t{0}; }), "cache_tokens"));
  BOOST_TEST(holds(message_for([](auto& o) { o.device = "tpu:0"; }), "there is no device 'tpu:0'"));
  BOOST_TEST(holds(message_for([](auto& o) { o.device = "cuda:1x"; }), "there is no device 'cuda:1x'"));
  BOOST_TEST(holds(message_of([&] { load({2, 4}); }), "blocks 2:4 are not within the model's 0:3"));
  BOOST_TEST(holds(message_of([&] { load({2, 2}); }), "not within"));
}

BOOST_AUTO_TEST_CASE(a_gpu_that_is_not_there_is_refused) {
  span_options options;
  options.device = "cuda:127";
  BOOST_CHECK_EXCEPTION(load({0, 3}, options), std::runtime_error, [](const auto& e) {
    return holds(e.what(), "CUDA library cannot be loaded") || holds(e.what(), "there is no device cuda:127");
  });
}

BOOST_AUTO_TEST_CASE(loading_reports_each_block) {
  std::vector<uint32_t> done;
  model::span::load(source, {1, 3}, {}, [&](uint32_t blocks_done, uint32_t blocks_all) {
    BOOST_TEST(blocks_all == 2u);
    done.push_back(blocks_done);
  });
  BOOST_TEST(done == (std::vector<uint32_t>{1, 2}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace corolla::tests
