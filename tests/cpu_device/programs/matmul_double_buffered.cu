// Two shared buffers used in turn with one barrier per tile; an early release of the barrier lets
// a fast warp overwrite the tile that a slow warp still reads.
#include <cuda_runtime.h>

#include "check.h"

constexpr int kTile = 16;

__global__ void matmul(const float* A, const float* B, float* C, int n) {
  __shared__ float A_smem[2][kTile][kTile];
  __shared__ float B_smem[2][kTile][kTile + 1];
  const int tx = threadIdx.x, ty = threadIdx.y;
  const int row = blockIdx.y * kTile + ty, col = blockIdx.x * kTile + tx;
  const int num_tiles = n / kTile;
  A_smem[0][ty][tx] = A[row * n + tx];
  B_smem[0][ty][tx] = B[ty * n + col];
  float sum = 0.0f;
  for (int t = 0; t < num_tiles; ++t) {
    __syncthreads();  // tile t is complete; everyone is done with tile t - 1, the other buffer
    const int now = t & 1;
    if (t + 1 < num_tiles) {
      const int k0 = (t + 1) * kTile;
      A_smem[now ^ 1][ty][tx] = A[row * n + k0 + tx];
      B_smem[now ^ 1][ty][tx] = B[(k0 + ty) * n + col];
    }
    for (int k = 0; k < kTile; ++k) sum += A_smem[now][ty][k] * B_smem[now][k][tx];
  }
  C[row * n + col] = sum;
}

int main() {
  const int n = 96;
  std::vector<float> A(n * n), B(n * n);
  for (int i = 0; i < n * n; ++i) {
    A[i] = static_cast<float>(i * 3 % 17 - 8);
    B[i] = static_cast<float>(i * 11 % 7 - 3);
  }
  float* d_A = upload(A);
  float* d_B = upload(B);
  float* d_C = upload(std::vector<float>(n * n, -1.0f));
  matmul<<<dim3(n / kTile, n / kTile), dim3(kTile, kTile)>>>(d_A, d_B, d_C, n);
  CHECK_LAUNCH();
  std::vector<float> C = download(d_C, n * n);
  for (int row = 0; row < n; ++row) {
    for (int col = 0; col < n; ++col) {
      float expected = 0.0f;
      for (int k = 0; k < n; ++k) expected += A[row * n + k] * B[k * n + col];
      CHECK_EQ(C[row * n + col], expected);
    }
  }
  CHECK_CUDA(cudaFree(d_A));
  CHECK_CUDA(cudaFree(d_B));
  CHECK_CUDA(cudaFree(d_C));
  return check_result();
}
