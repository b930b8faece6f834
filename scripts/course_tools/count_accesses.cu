// Runs the pass that a kernel file has, attention_backward if there is one and else
// attention_forward, on shapes given as arguments, and prints what its kernels did as JSON.
//
// Compiled together with a kernel file by `cucc --check`, which counts accesses; counting.py does so. An argument is
// batch,heads,N_q,N_k,d,causal,offset: the tensors begin offset floats after a 256-byte boundary.
#include <cpu_device.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "attention.h"

// A file of lesson 06 may lack the first, those before it lack the second: such a one is null.
extern "C" __attribute__((weak)) decltype(attention_forward) attention_forward;
extern "C" __attribute__((weak)) decltype(attention_backward) attention_backward;

namespace {

void require(bool holds, const char* what) {
  if (holds) return;
  fprintf(stderr, "count_accesses: %s\n", what);
  exit(1);
}

void require(cudaError_t status) { require(status == cudaSuccess, cudaGetErrorString(status)); }

// Numbers in [-1, 1), the same ones each time.
std::vector<float> numbers(size_t count, uint32_t seed) {
  std::vector<float> values(count);
  for (float& value : values) {
    seed = 1664525 * seed + 1013904223;
    value = static_cast<float>(seed >> 8) / (1 << 23) - 1.0f;
  }
  return values;
}

class Tensor {
 public:
  Tensor(const char* name, size_t elements, int offset, uint32_t seed)
      : name_(name), offset_(offset) {
    const std::vector<float> values = numbers(elements, seed);
    require(cudaMalloc(&base_, std::max<size_t>(1, elements + offset) * sizeof(float)));
    require(cudaMemcpy(data(), values.data(), elements * sizeof(float), cudaMemcpyHostToDevice));
  }
  ~Tensor() { cudaFree(base_); }
  Tensor(const Tensor&) = delete;
  Tensor& operator=(const Tensor&) = delete;

  const char* name() const { return name_; }
  float* data() const { return base_ + offset_; }
  cpuDeviceCounters traffic() const {
    cpuDeviceCounters counters{};
    require(cpuDeviceTraffic(base_, &counters) == 1, "compile with cucc --check");
    return counters;
  }

 private:
  const char* name_;
  int offset_;
  float* base_ = nullptr;
};

// Calls each(sum, more) on every number of two accesses.
template <typename Each>
void combine(cpuDeviceAccesses* sum, const cpuDeviceAccesses& more, Each each) {
  each(&sum->requests, more.requests);
  each(&sum->accesses, more.accesses);
  each(&sum->bytes, more.bytes);
  each(&sum->bytes_16, more.bytes_16);
  each(&sum->sectors, more.sectors);
  each(&sum->wavefronts, more.wavefronts);
  each(&sum->ideal_wavefronts, more.ideal_wavefronts);
}

void add(unsigned long long* sum, unsigned long long more) { *sum += more; }
void subtract(unsigned long long* sum, unsigned long long less) { *sum -= less; }

void print_global(const char* name, const cpuDeviceCounters& counters, const char* end) {
  const auto print = [](const char* kind, const cpuDeviceAccesses& a, const char* after) {
    printf(
        "\"%s\": {\"requests\": %llu, \"bytes\": %llu, \"bytes_16\": %llu, \"sectors\": %llu}%s",
        kind, a.requests, a.bytes, a.bytes_16, a.sectors, after);
  };
  printf("\"%s\": {", name);
  print("load", counters.global_load, ", ");
  print("store", counters.global_store, ", ");
  print("atomic", counters.global_atomic, "}");
  fputs(end, stdout);
}

void print_shared(const char* name, const cpuDeviceAccesses& a) {
  printf(
      "\"%s\": {\"requests\": %llu, \"bytes\": %llu, \"wavefronts\": %llu, "
      "\"ideal_wavefronts\": %llu}, ",
      name, a.requests, a.bytes, a.wavefronts, a.ideal_wavefronts);
}

void count(AttentionShape shape, bool causal, int offset) {
  const size_t heads = static_cast<size_t>(shape.batch) * shape.num_heads;
  const size_t queries = heads * shape.seq_len_q * shape.head_dim;
  const size_t keys = heads * shape.seq_len_k * shape.head_dim;
  const Tensor Q("Q", queries, offset, 1), K("K", keys, offset, 2), V("V", keys, offset, 3);
  const Tensor O("O", queries, offset, 4), LSE("LSE", heads * shape.seq_len_q, offset, 5);
  const Tensor dO("dO", queries, offset, 6), dQ("dQ", queries, offset, 7);
  const Tensor dK("dK", keys, offset, 8), dV("dV", keys, offset, 9);

  cpuDeviceClearCounters();
  const unsigned long long before = cpuDeviceBytesInUse();
  const float softmax_scale = 1.0f / std::sqrt(static_cast<float>(shape.head_dim));
  const cudaError_t status =
      attention_backward != nullptr
          ? attention_backward(
                Q.data(), K.data(), V.data(), O.data(), LSE.data(), dO.data(), dQ.data(), dK.data(),
                dV.data(), shape, softmax_scale, causal, nullptr)
          : attention_forward(
                Q.data(), K.data(), V.data(), O.data(), LSE.data(), shape, softmax_scale, causal,
                nullptr);
  require(status);
  require(cudaDeviceSynchronize());

  // Scratch memory is gone by now: it is what all launches did, less what they did to the tensors.
  cpuDeviceCounters all{};
  unsigned long long peak = before, blocks = 0, shared_bytes = 0;
  size_t launches = 0;
  const cpuDeviceLaunch* const launch = cpuDeviceLaunches(&launches);
  require(launches > 0, "no kernel was launched");
  for (size_t n = 0; n < launches; ++n) {
    const cpuDeviceCounters& counters = launch[n].counters;
    combine(&all.global_load, counters.global_load, add);
    combine(&all.global_store, counters.global_store, add);
    combine(&all.global_atomic, counters.global_atomic, add);
    combine(&all.shared_load, counters.shared_load, add);
    combine(&all.shared_store, counters.shared_store, add);
    all.barriers += counters.barriers;
    all.shuffles += counters.shuffles;
    all.exp_calls += counters.exp_calls;
    peak = std::max(peak, launch[n].bytes_in_use);
    blocks += launch[n].launches * launch[n].grid[0] * launch[n].grid[1] * launch[n].grid[2];
    shared_bytes = std::max<unsigned long long>(
        shared_bytes, launch[n].static_shared + launch[n].dynamic_shared);
  }
  printf("{\"global\": {");
  for (const Tensor* tensor : {&Q, &K, &V, &O, &LSE, &dO, &dQ, &dK, &dV}) {
    const cpuDeviceCounters traffic = tensor->traffic();
    combine(&all.global_load, traffic.global_load, subtract);
    combine(&all.global_store, traffic.global_store, subtract);
    combine(&all.global_atomic, traffic.global_atomic, subtract);
    print_global(tensor->name(), traffic, ", ");
  }
  print_global("scratch", all, "}, ");
  print_shared("shared_load", all.shared_load);
  print_shared("shared_store", all.shared_store);
  printf("\"blocks\": %llu, \"shared_bytes\": %llu, ", blocks, shared_bytes);
  printf("\"barriers\": %llu, \"shuffles\": %llu, ", all.barriers, all.shuffles);
  printf("\"exp_calls\": %llu, \"extra_bytes\": %llu}\n", all.exp_calls, peak - before);
}

}  // namespace

int main(int argc, char** argv) {
  cpuDeviceSetCounting(1);
  for (int n = 1; n < argc; ++n) {
    AttentionShape shape{};
    int causal = 0, offset = 0;
    const int read = sscanf(
        argv[n], "%d,%d,%d,%d,%d,%d,%d", &shape.batch, &shape.num_heads, &shape.seq_len_q,
        &shape.seq_len_k, &shape.head_dim, &causal, &offset);
    require(read == 7, "an argument is batch,heads,N_q,N_k,d,causal,offset");
    shape.num_heads_kv = shape.num_heads;
    count(shape, causal != 0, offset);
  }
}
