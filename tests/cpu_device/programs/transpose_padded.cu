// Transpose through a padded shared tile with 32x8 blocks; swapped x and y of threadIdx or
// blockIdx show as misplaced elements.
#include <cuda_runtime.h>

#include "check.h"

#define TILE_DIM 32
#define BLOCK_ROWS 8

__global__ void transpose(const int* in, int* out, int width, int height) {
  __shared__ int tile[TILE_DIM][TILE_DIM + 1];  // +1: no bank conflicts in the column reads
  int x = blockIdx.x * TILE_DIM + threadIdx.x;
  int y = blockIdx.y * TILE_DIM + threadIdx.y;
  for (int j = 0; j < TILE_DIM; j += BLOCK_ROWS) {
    if (x < width && y + j < height) tile[threadIdx.y + j][threadIdx.x] = in[(y + j) * width + x];
  }
  __syncthreads();
  x = blockIdx.y * TILE_DIM + threadIdx.x;
  y = blockIdx.x * TILE_DIM + threadIdx.y;
  for (int j = 0; j < TILE_DIM; j += BLOCK_ROWS) {
    if (x < height && y + j < width) out[(y + j) * height + x] = tile[threadIdx.x][threadIdx.y + j];
  }
}

int main() {
  const int shapes[][2] = {{32, 32}, {64, 96}, {45, 70}, {1, 100}, {100, 1}};
  for (const auto& shape : shapes) {
    const int width = shape[0], height = shape[1];
    std::vector<int> in(width * height);
    for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<int>(i);
    int* d_in = upload(in);
    int* d_out = upload(std::vector<int>(in.size(), -1));
    dim3 grid((width + TILE_DIM - 1) / TILE_DIM, (height + TILE_DIM - 1) / TILE_DIM);
    dim3 block(TILE_DIM, BLOCK_ROWS);
    transpose<<<grid, block>>>(d_in, d_out, width, height);
    CHECK_LAUNCH();
    std::vector<int> out = download(d_out, in.size());
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) CHECK_EQ(out[x * height + y], y * width + x);
    }
    CHECK_CUDA(cudaFree(d_in));
    CHECK_CUDA(cudaFree(d_out));
  }
  return check_result();
}
