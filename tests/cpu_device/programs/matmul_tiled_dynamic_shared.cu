// Templates on type and tile size that carve both tiles out of one dynamic shared buffer;
// instances that share the buffer's name must not share its type or size.
#include <cuda_runtime.h>

#include "check.h"

template <typename T, int TILE>
__global__ void matmul(const T* A, const T* B, T* C, int n) {
  extern __shared__ __align__(16) unsigned char smem[];
  T* A_smem = reinterpret_cast<T*>(smem);  // [TILE][TILE]
  T* B_smem = A_smem + TILE * TILE;        // [TILE][TILE]
  const int tx = threadIdx.x, ty = threadIdx.y;
  const int row = blockIdx.y * TILE + ty, col = blockIdx.x * TILE + tx;
  T sum = 0;
  for (int k0 = 0; k0 < n; k0 += TILE) {
    A_smem[ty * TILE + tx] = row < n && k0 + tx < n ? A[row * n + k0 + tx] : T(0);
    B_smem[ty * TILE + tx] = k0 + ty < n && col < n ? B[(k0 + ty) * n + col] : T(0);
    __syncthreads();
#pragma unroll
    for (int k = 0; k < TILE; ++k) sum += A_smem[ty * TILE + k] * B_smem[k * TILE + tx];
    __syncthreads();
  }
  if (row < n && col < n) C[row * n + col] = sum;
}

template <typename T, int TILE>
void run(int n) {
  std::vector<T> A(n * n), B(n * n), C(n * n, T(-1));
  for (int i = 0; i < n * n; ++i) {
    A[i] = static_cast<T>(i * 7 % 11);
    B[i] = static_cast<T>(i * 5 % 13);
  }
  T* d_A = upload(A);
  T* d_B = upload(B);
  T* d_C = upload(C);
  dim3 block(TILE, TILE), grid((n + TILE - 1) / TILE, (n + TILE - 1) / TILE);
  matmul<T, TILE><<<grid, block, 2 * TILE * TILE * sizeof(T)>>>(d_A, d_B, d_C, n);
  CHECK_LAUNCH();
  C = download(d_C, C.size());
  for (int row = 0; row < n; ++row) {
    for (int col = 0; col < n; ++col) {
      T expected = 0;
      for (int k = 0; k < n; ++k) expected += A[row * n + k] * B[k * n + col];
      CHECK_EQ(C[row * n + col], expected);
    }
  }
  CHECK_CUDA(cudaFree(d_A));
  CHECK_CUDA(cudaFree(d_B));
  CHECK_CUDA(cudaFree(d_C));
}

int main() {
  run<float, 8>(40);
  run<float, 16>(33);
  run<double, 32>(65);
  run<int, 4>(19);
  return check_result();
}
