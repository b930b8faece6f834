// Tiled product with guards for ragged sizes: tiles are filled with zeros behind the edges.
#include "../device_vector.h"

template <int TILE>
__global__ void matmul(const float* A, const float* B, float* C, int m, int n, int k) {
  __shared__ float A_smem[TILE][TILE];
  __shared__ float B_smem[TILE][TILE + 1];
  const int tx = threadIdx.x, ty = threadIdx.y;
  const int row = blockIdx.y * TILE + ty, col = blockIdx.x * TILE + tx;
  float sum = 0.0f;
  for (int first = 0; first < k; first += TILE) {
    A_smem[ty][tx] = row < m && first + tx < k ? A[row * k + first + tx] : 0.0f;
    B_smem[ty][tx] = first + ty < k && col < n ? B[(first + ty) * n + col] : 0.0f;
    __syncthreads();
    for (int i = 0; i < TILE; ++i) sum += A_smem[ty][i] * B_smem[i][tx];
    __syncthreads();
  }
  if (row < m && col < n) C[row * n + col] = sum;
}

int main() {
  const int m = 21, n = 18, k = 35;
  std::vector<float> A(m * k), B(k * n);
  for (int i = 0; i < m * k; ++i) A[i] = static_cast<float>(i % 7 - 3);
  for (int i = 0; i < k * n; ++i) B[i] = static_cast<float>(i % 5 - 2);
  DeviceVector<float> d_A(A), d_B(B), d_C(m * n);
  matmul<8>
      <<<dim3((n + 7) / 8, (m + 7) / 8), dim3(8, 8)>>>(d_A.get(), d_B.get(), d_C.get(), m, n, k);
  CHECK_LAUNCH();
  const std::vector<float> C = d_C.host();
  for (int r = 0; r < m; ++r) {
    for (int c = 0; c < n; ++c) {
      float expected = 0.0f;
      for (int i = 0; i < k; ++i) expected += A[r * k + i] * B[i * n + c];
      CHECK_EQ(C[r * n + c], expected);
    }
  }
  return check_result();
}
