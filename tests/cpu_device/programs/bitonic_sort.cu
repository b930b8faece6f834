// Bitonic sort of 1,024 keys per block in shared memory, and with a struct payload; every missed
// barrier misorders keys.
#include <cuda_runtime.h>

#include <algorithm>

#include "check.h"

struct Item {
  unsigned key;
  int origin;
};

__device__ bool less(const Item& a, const Item& b) {
  return a.key != b.key ? a.key < b.key : a.origin < b.origin;
}

__global__ void bitonic_sort(Item* items) {
  extern __shared__ Item shared[];
  const unsigned tid = threadIdx.x, n = blockDim.x;
  Item* block_items = items + blockIdx.x * n;
  shared[tid] = block_items[tid];
  __syncthreads();
  for (unsigned k = 2; k <= n; k *= 2) {
    for (unsigned j = k / 2; j > 0; j /= 2) {
      const unsigned partner = tid ^ j;
      if (partner > tid) {
        const bool ascending = (tid & k) == 0;
        if (less(shared[partner], shared[tid]) == ascending) {
          const Item swap = shared[tid];
          shared[tid] = shared[partner];
          shared[partner] = swap;
        }
      }
      __syncthreads();
    }
  }
  block_items[tid] = shared[tid];
}

int main() {
  for (int threads : {64, 1024}) {
    const int blocks = 3, n = blocks * threads;
    std::vector<Item> items(n);
    unsigned state = 1;
    for (int i = 0; i < n; ++i) {
      state = state * 1664525u + 1013904223u;
      items[i] = {state >> 22, i};  // 10 bits: many equal keys
    }
    Item* d_items = upload(items);
    bitonic_sort<<<blocks, threads, threads * sizeof(Item)>>>(d_items);
    CHECK_LAUNCH();
    std::vector<Item> sorted = download(d_items, n);
    for (int b = 0; b < blocks; ++b) {
      std::sort(
          items.begin() + b * threads, items.begin() + (b + 1) * threads,
          [](const Item& x, const Item& y) {
            return x.key != y.key ? x.key < y.key : x.origin < y.origin;
          });
    }
    for (int i = 0; i < n; ++i) {
      CHECK_EQ(sorted[i].key, items[i].key);
      CHECK_EQ(sorted[i].origin, items[i].origin);
    }
    CHECK_CUDA(cudaFree(d_items));
  }
  return check_result();
}
