// What the checks and the counters cost, as Google Benchmarks: three attention kernels beside a plain loop, N = 512, d = 64,
// 128 threads per block, one core. The kernels are compiled by cucc --check. `scripts/bench --cpu-device` runs this and
// prints the ratios.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "attention_kernels.h"
#include "cpu_device.h"
#include "online_attention.h"

namespace {

constexpr int kN = 512;
constexpr int kHeadDim = 64;
constexpr int kThreads = 128;
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
  std::vector<float> O(Q.size());
  for (auto _ : state) {
    online_attention(Q.data(), K.data(), V.data(), O.data(), kN, kHeadDim, kScale);
    benchmark::ClobberMemory();
  }
}

float* to_device(const std::vector<float>& values) {
  float* device = nullptr;
  cudaMalloc(&device, values.size() * sizeof(float));
  cudaMemcpy(device, values.data(), values.size() * sizeof(float), cudaMemcpyHostToDevice);
  return device;
}

void attention(benchmark::State& state, AttentionKernel kernel, bool counting) {
  cpuDeviceSetThreads(1);
  cpuDeviceSetCounting(counting);
  const std::vector<float> values = random_tensor();
  float* const Q = to_device(values);
  float* const K = to_device(values);
  float* const V = to_device(values);
  float* const O = to_device(values);
  for (auto _ : state) {
    if (run_attention(kernel, Q, K, V, O, kN, kHeadDim, kThreads, kScale) != cudaSuccess) {
      state.SkipWithError("the launch failed");
      break;
    }
    cpuDeviceClearCounters();
  }
  std::vector<float> result(values.size()), expected(values.size());
  cudaMemcpy(result.data(), O, result.size() * sizeof(float), cudaMemcpyDeviceToHost);
  online_attention(
      values.data(), values.data(), values.data(), expected.data(), kN, kHeadDim, kScale);
  for (size_t n = 0; n < result.size(); ++n) {
    if (!(std::fabs(result[n] - expected[n]) <= 1e-5f)) {
      state.SkipWithError("the result is wrong");
      break;
    }
  }
  for (float* tensor : {Q, K, V, O}) cudaFree(tensor);
  // Of the whole process: it never runs anything larger.
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  state.counters["peak_mib"] = static_cast<double>(usage.ru_maxrss) / 1024;
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  const auto add = [](const std::string& name, auto function, auto... arguments) {
    benchmark::RegisterBenchmark(name.c_str(), function, arguments...)
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond);
  };
  add("plain_online_loop", plain_loop);
  for (const bool counting : {false, true}) {
    const std::string suffix = counting ? "/counted" : "/checked";
    add("global" + suffix, attention, AttentionKernel::kGlobal, counting);
    add("tiled" + suffix, attention, AttentionKernel::kTiled, counting);
    add("tiled_float4" + suffix, attention, AttentionKernel::kTiledFloat4, counting);
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
