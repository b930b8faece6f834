// Matrix product with tiles in static __shared__ arrays and ragged edges; a barrier that does not
// hold every thread mixes two tiles.
#include <cuda_runtime.h>

#include "check.h"

constexpr int kTile = 16;

__global__ void matmul(const float* A, const float* B, float* C, int M, int N, int K) {
  __shared__ float A_smem[kTile][kTile];
  __shared__ float B_smem[kTile][kTile];
  int row = blockIdx.y * kTile + threadIdx.y;
  int col = blockIdx.x * kTile + threadIdx.x;
  float sum = 0.0f;
  for (int k0 = 0; k0 < K; k0 += kTile) {
    int a_col = k0 + threadIdx.x;
    int b_row = k0 + threadIdx.y;
    A_smem[threadIdx.y][threadIdx.x] = row < M && a_col < K ? A[row * K + a_col] : 0.0f;
    B_smem[threadIdx.y][threadIdx.x] = b_row < K && col < N ? B[b_row * N + col] : 0.0f;
    __syncthreads();  // both tiles are complete before anyone reads them
    for (int k = 0; k < kTile; ++k) sum += A_smem[threadIdx.y][k] * B_smem[k][threadIdx.x];
    __syncthreads();  // everyone is done with the tiles before they are overwritten
  }
  if (row < M && col < N) C[row * N + col] = sum;
}

int main() {
  const int shapes[][3] = {{16, 16, 16}, {32, 48, 64}, {33, 17, 50}, {1, 70, 5}, {70, 1, 31}};
  for (const auto& shape : shapes) {
    const int M = shape[0], N = shape[1], K = shape[2];
    std::vector<float> A(M * K), B(K * N), C(M * N, -1.0f);
    for (int i = 0; i < M * K; ++i) A[i] = static_cast<float>(i * 7 % 11 - 5);
    for (int i = 0; i < K * N; ++i) B[i] = static_cast<float>(i * 5 % 13 - 6);
    float* d_A = upload(A);
    float* d_B = upload(B);
    float* d_C = upload(C);
    dim3 block(kTile, kTile);
    dim3 grid((N + kTile - 1) / kTile, (M + kTile - 1) / kTile);
    matmul<<<grid, block>>>(d_A, d_B, d_C, M, N, K);
    CHECK_LAUNCH();
    C = download(d_C, C.size());
    for (int row = 0; row < M; ++row) {
      for (int col = 0; col < N; ++col) {
        float expected = 0.0f;  // small integers: exact in any order
        for (int k = 0; k < K; ++k) expected += A[row * K + k] * B[k * N + col];
        CHECK_EQ(C[row * N + col], expected);
      }
    }
    CHECK_CUDA(cudaFree(d_A));
    CHECK_CUDA(cudaFree(d_B));
    CHECK_CUDA(cudaFree(d_C));
  }
  return check_result();
}
