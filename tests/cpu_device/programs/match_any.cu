// __match_any_sync groups lanes by value, used for warp-aggregated counting; wrong masks count a
// value twice.
#include <cuda_runtime.h>

#include "check.h"

__global__ void match(
    const int* keys, const unsigned long long* wide_keys, unsigned* masks, unsigned* wide_masks,
    int* counts) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const unsigned peers = __match_any_sync(0xffffffff, keys[i]);
  masks[i] = peers;
  wide_masks[i] = __match_any_sync(0xffffffff, wide_keys[i]);
  const int leader = __ffs(peers) - 1;
  if (threadIdx.x % 32 == leader) atomicAdd(&counts[keys[i]], __popc(peers));
}

int main() {
  const int n = 4 * 32, num_keys = 10;
  std::vector<int> keys(n), counts(num_keys, 0);
  std::vector<unsigned long long> wide_keys(n);
  for (int i = 0; i < n; ++i) {
    keys[i] = (i * i + i / 32) % num_keys;
    wide_keys[i] = static_cast<unsigned long long>(keys[i] % 3) << 40;  // differ in the upper half
    ++counts[keys[i]];
  }
  int* d_keys = upload(keys);
  unsigned long long* d_wide_keys = upload(wide_keys);
  unsigned* d_masks = upload(std::vector<unsigned>(2 * n, 0));
  int* d_counts = upload(std::vector<int>(num_keys, 0));
  match<<<2, n / 2>>>(d_keys, d_wide_keys, d_masks, d_masks + n, d_counts);
  CHECK_LAUNCH();
  std::vector<unsigned> masks = download(d_masks, 2 * n);
  std::vector<int> seen = download(d_counts, num_keys);
  for (int i = 0; i < n; ++i) {
    unsigned expected = 0, wide_expected = 0;
    for (int lane = 0; lane < 32; ++lane) {
      const int other = i / 32 * 32 + lane;
      if (keys[other] == keys[i]) expected |= 1u << lane;
      if (wide_keys[other] == wide_keys[i]) wide_expected |= 1u << lane;
    }
    CHECK_EQ(masks[i], expected);
    CHECK_EQ(masks[n + i], wide_expected);
  }
  for (int key = 0; key < num_keys; ++key) CHECK_EQ(seen[key], counts[key]);
  CHECK_CUDA(cudaFree(d_keys));
  CHECK_CUDA(cudaFree(d_wide_keys));
  CHECK_CUDA(cudaFree(d_masks));
  CHECK_CUDA(cudaFree(d_counts));
  return check_result();
}
