// Atomics on long long and unsigned long long; an operation done on 32 bits loses carries and
// upper halves.
#include <cuda_runtime.h>

#include "check.h"

typedef unsigned long long ull;
constexpr int kThreads = 128, kBlocks = 3, kAll = kThreads * kBlocks;
constexpr ull kStep = 0x100000001ull;

__global__ void all_operations(ull* u, long long* s, ull* old) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  old[i] = atomicAdd(&u[0], kStep);
  atomicMax(&u[1], kStep * i);
  atomicMin(&u[2], kStep * (i + 1));
  old[kAll + i] = atomicExch(&u[3], kStep * i);
  old[2 * kAll + i] = atomicCAS(&u[4], kStep * 7, kStep * 8 + i);
  atomicAnd(&u[5], ~(1ull << (i % 50)));
  atomicOr(&u[6], 1ull << (i % 60));
  atomicXor(&u[7], 1ull << (i % 64));
  atomicMax(&s[0], -(1ll << 40) + i);
  atomicMin(&s[1], -(1ll << 40) - i);
}

int main() {
  ull* d_u =
      upload(std::vector<ull>{5, 3, ~0ull, kStep * 1000, kStep * 7, ~0ull, 0, 0xffull << 32});
  long long* d_s = upload(std::vector<long long>{-(1ll << 50), 1ll << 50});
  ull* d_old = upload(std::vector<ull>(3 * kAll));
  all_operations<<<kBlocks, kThreads>>>(d_u, d_s, d_old);
  CHECK_LAUNCH();
  std::vector<ull> u = download(d_u, 8), old = download(d_old, 3 * kAll);
  std::vector<long long> s = download(d_s, 2);

  CHECK_EQ(u[0], 5 + kAll * kStep);
  std::vector<int> add_times(kAll, 0), exch_times(kAll, 0);
  int start_seen = 0, cas_won = 0;
  for (int i = 0; i < kAll; ++i) {
    const ull step = (old[i] - 5) / kStep;
    CHECK(old[i] == 5 + step * kStep && step < kAll);
    ++add_times[step % kAll];
    if (old[kAll + i] == kStep * 1000) {
      ++start_seen;
    } else {
      ++exch_times[old[kAll + i] / kStep % kAll];
    }
    if (old[2 * kAll + i] == kStep * 7) {
      ++cas_won;
      CHECK_EQ(u[4], kStep * 8 + i);
    } else {
      CHECK_EQ(old[2 * kAll + i], u[4]);  // every loser sees what the winner wrote
    }
  }
  ++exch_times[u[3] / kStep % kAll];
  for (int i = 0; i < kAll; ++i) {
    CHECK_EQ(add_times[i], 1);
    CHECK_EQ(exch_times[i], 1);
  }
  CHECK_EQ(start_seen, 1);
  CHECK_EQ(cas_won, 1);
  CHECK_EQ(u[1], kStep * (kAll - 1));
  CHECK_EQ(u[2], kStep);
  CHECK_EQ(u[5], ~0ull << 50);
  CHECK_EQ(u[6], (1ull << 60) - 1);
  ull toggled = 0xffull << 32;
  for (int i = 0; i < kAll; ++i) toggled ^= 1ull << (i % 64);
  CHECK_EQ(u[7], toggled);
  CHECK_EQ(s[0], -(1ll << 40) + kAll - 1);
  CHECK_EQ(s[1], -(1ll << 40) - kAll + 1);
  CHECK_CUDA(cudaFree(d_u));
  CHECK_CUDA(cudaFree(d_s));
  CHECK_CUDA(cudaFree(d_old));
  return check_result();
}
