// What the CPU device costs, as Google Benchmarks: lesson 01's kernel beside a plain loop, and a barrier.
// `scripts/bench --cpu-device` runs this and prints the ratios.
#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include "attention.h"
#include "cpu_device.h"
#include "plain_attention.h"

extern "C" cudaError_t run_barriers(int threads, int rounds);

namespace {

constexpr int kN = 512;
constexpr int kHeadDim = 64;
constexpr float kScale = 0.125f;

std::vector<float> random_tensor() {
  std::mt19937 generator(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(size_t{kN} * kHeadDim);
  for (float& value : values) value = normal(generator);
  return values;
}

void plain_loop(benchmark::State& state) {
  const std::vector<float> Q = random_tensor(), K = Q, V = Q;
  std::vector<float> S(size_t{kN} * kN), O(Q.size());
  for (auto _ : state) {
    plain_attention(Q.data(), K.data(), V.data(), S.data(), O.data(), kN, kHeadDim, kScale);
    benchmark::ClobberMemory();
  }
}

float* to_device(const std::vector<float>& values) {
  float* device = nullptr;
  cudaMalloc(&device, values.size() * sizeof(float));
  cudaMemcpy(device, values.data(), values.size() * sizeof(float), cudaMemcpyHostToDevice);
  return device;
}

void naive_attention(benchmark::State& state) {
  cpuDeviceSetThreads(static_cast<int>(state.range(0)));
  const std::vector<float> values = random_tensor();
  float* const Q = to_device(values);
  float* const K = to_device(values);
  float* const V = to_device(values);
  float* const O = to_device(values);
  const AttentionShape shape{1, 1, 1, kN, kN, kHeadDim};
  for (auto _ : state) {
    if (attention_forward(Q, K, V, O, nullptr, shape, kScale, false, nullptr) != cudaSuccess) {
      state.SkipWithError("attention_forward failed");
      break;
    }
  }
  for (float* tensor : {Q, K, V, O}) cudaFree(tensor);
}

void barrier(benchmark::State& state) {
  constexpr int kRounds = 10000;
  const int threads = static_cast<int>(state.range(0));
  for (auto _ : state) {
    if (run_barriers(threads, kRounds) != cudaSuccess) state.SkipWithError("the launch failed");
  }
  const double passes = static_cast<double>(state.iterations()) * kRounds * threads;
  state.counters["ns_per_thread"] =
      benchmark::Counter(passes * 1e-9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

BENCHMARK(plain_loop)->Name("plain_loop/threads:1")->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(naive_attention)
    ->Name("naive_attention")
    ->ArgName("threads")
    ->Arg(1)
    ->Arg(2)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(barrier)->Arg(128)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
