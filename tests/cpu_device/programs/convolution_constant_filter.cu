// 2-D convolution with the filter in constant memory and an apron in shared memory; wrong symbol
// copies or aprons show at the borders.
#include <cuda_runtime.h>

#include "check.h"

#define RADIUS 2
#define SIDE (2 * RADIUS + 1)
#define TILE 12
#define BLOCK (TILE + 2 * RADIUS)

__constant__ int filter[SIDE][SIDE];

__global__ void convolve(const int* in, int* out, int width, int height) {
  __shared__ int tile[BLOCK][BLOCK];
  const int x = blockIdx.x * TILE + threadIdx.x - RADIUS;
  const int y = blockIdx.y * TILE + threadIdx.y - RADIUS;
  const bool inside = x >= 0 && x < width && y >= 0 && y < height;
  tile[threadIdx.y][threadIdx.x] = inside ? in[y * width + x] : 0;
  __syncthreads();
  const int tx = threadIdx.x - RADIUS, ty = threadIdx.y - RADIUS;
  if (!inside || tx < 0 || tx >= TILE || ty < 0 || ty >= TILE) return;
  int sum = 0;
  for (int dy = 0; dy < SIDE; ++dy) {
    for (int dx = 0; dx < SIDE; ++dx) sum += filter[dy][dx] * tile[ty + dy][tx + dx];
  }
  out[y * width + x] = sum;
}

int main() {
  const int width = 50, height = 37;
  int host_filter[SIDE][SIDE];
  for (int i = 0; i < SIDE * SIDE; ++i) host_filter[i / SIDE][i % SIDE] = i - 7;
  CHECK_CUDA(cudaMemcpyToSymbol(filter, host_filter, sizeof(host_filter)));
  std::vector<int> in(width * height);
  for (int i = 0; i < width * height; ++i) in[i] = (i * 41) % 37;
  int* d_in = upload(in);
  int* d_out = upload(std::vector<int>(width * height, -999999));
  dim3 grid((width + TILE - 1) / TILE, (height + TILE - 1) / TILE);
  convolve<<<grid, dim3(BLOCK, BLOCK)>>>(d_in, d_out, width, height);
  CHECK_LAUNCH();
  std::vector<int> out = download(d_out, width * height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      int expected = 0;
      for (int dy = -RADIUS; dy <= RADIUS; ++dy) {
        for (int dx = -RADIUS; dx <= RADIUS; ++dx) {
          const int sx = x + dx, sy = y + dy;
          if (sx < 0 || sx >= width || sy < 0 || sy >= height) continue;
          expected += host_filter[dy + RADIUS][dx + RADIUS] * in[sy * width + sx];
        }
      }
      CHECK_EQ(out[y * width + x], expected);
    }
  }
  CHECK_CUDA(cudaFree(d_in));
  CHECK_CUDA(cudaFree(d_out));
  return check_result();
}
