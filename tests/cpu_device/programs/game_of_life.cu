// Conway's game of life on a torus with two buffers swapped between launches: 30 generations of
// many small launches.
#include <cuda_runtime.h>

#include <utility>

#include "check.h"

__global__ void step(const unsigned char* now, unsigned char* next, int width, int height) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x;
  const int y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x >= width || y >= height) return;
  int neighbours = 0;
  for (int dy = -1; dy <= 1; ++dy) {
    for (int dx = -1; dx <= 1; ++dx) {
      if (dx == 0 && dy == 0) continue;
      neighbours += now[(y + dy + height) % height * width + (x + dx + width) % width];
    }
  }
  next[y * width + x] = neighbours == 3 || (neighbours == 2 && now[y * width + x]);
}

int main() {
  const int width = 47, height = 33, generations = 30;
  std::vector<unsigned char> cells(width * height), next(width * height);
  for (int i = 0; i < width * height; ++i) cells[i] = (i * 7919 >> 3) % 5 < 2;
  unsigned char* d_now = upload(cells);
  unsigned char* d_next = upload(next);
  const dim3 block(16, 16), grid((width + 15) / 16, (height + 15) / 16);
  for (int g = 0; g < generations; ++g) {
    step<<<grid, block>>>(d_now, d_next, width, height);
    std::swap(d_now, d_next);
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        int neighbours = 0;
        for (int k = 0; k < 9; ++k) {
          const int nx = (x + k % 3 - 1 + width) % width, ny = (y + k / 3 - 1 + height) % height;
          neighbours += k == 4 ? 0 : cells[ny * width + nx];
        }
        const bool alive = cells[y * width + x] != 0;
        next[y * width + x] = neighbours == 3 || (alive && neighbours == 2);
      }
    }
    cells.swap(next);
  }
  CHECK_LAUNCH();
  std::vector<unsigned char> out = download(d_now, width * height);
  int population = 0;
  for (int i = 0; i < width * height; ++i) {
    CHECK_EQ(static_cast<int>(out[i]), static_cast<int>(cells[i]));
    population += cells[i];
  }
  CHECK(population > 10);  // still something to compare
  CHECK_CUDA(cudaFree(d_now));
  CHECK_CUDA(cudaFree(d_next));
  return check_result();
}
