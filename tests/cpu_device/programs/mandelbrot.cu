// Mandelbrot iteration counts on a 2-D grid: data-dependent loops of very different length side by
// side.
#include <cuda_runtime.h>

#include "check.h"

__host__ __device__ inline int iterations(int x, int y, int width, int height, int limit) {
  // Fixed point with 12 fraction bits: host and device agree exactly.
  const int re0 = -2 * 4096 + x * (3 * 4096 / width);
  const int im0 = -4096 + y * (2 * 4096 / height);
  int re = 0, im = 0, i = 0;
  while (i < limit && re * re / 4096 + im * im / 4096 <= 4 * 4096) {
    const int next = re * re / 4096 - im * im / 4096 + re0;
    im = 2 * (re * im / 4096) + im0;
    re = next;
    ++i;
  }
  return i;
}

__global__ void mandelbrot(int* counts, int width, int height, int limit) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x;
  const int y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x >= width || y >= height) return;
  counts[y * width + x] = iterations(x, y, width, height, limit);
}

int main() {
  const int width = 150, height = 90, limit = 300;
  int* d_counts = upload(std::vector<int>(width * height, -1));
  dim3 block(16, 8);
  dim3 grid((width + block.x - 1) / block.x, (height + block.y - 1) / block.y);
  mandelbrot<<<grid, block>>>(d_counts, width, height, limit);
  CHECK_LAUNCH();
  std::vector<int> counts = download(d_counts, width * height);
  int inside = 0;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      CHECK_EQ(counts[y * width + x], iterations(x, y, width, height, limit));
      inside += counts[y * width + x] == limit;
    }
  }
  CHECK(inside > 1000 && inside < width * height / 2);  // it is the set, not a constant
  CHECK_EQ(counts[0], 1);
  CHECK_CUDA(cudaFree(d_counts));
  return check_result();
}
