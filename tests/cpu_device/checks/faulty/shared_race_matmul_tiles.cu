// expect: error shared-race [B] [C]
// expect: warning shared-race [A] [C]
// A tiled product lacks the barrier at the end of its loop. Rows of A_smem are read by the warp
// that wrote them, columns of B_smem by all.
#include "../device_array.h"

__global__ void matmul(const float* A, const float* B, float* C, int n) {
  __shared__ float A_smem[16][16];
  __shared__ float B_smem[16][16];
  const int tx = threadIdx.x, ty = threadIdx.y;
  const int row = blockIdx.y * 16 + ty, col = blockIdx.x * 16 + tx;
  float sum = 0.0f;
  for (int t = 0; t < n / 16; ++t) {
    A_smem[ty][tx] = A[row * n + t * 16 + tx] + t;    // [A]
    B_smem[ty][tx] = B[(t * 16 + ty) * n + col] + t;  // [B]
    __syncthreads();
    for (int k = 0; k < 16; ++k) {
      sum += A_smem[ty][k] * B_smem[k][tx];  // [C]
    }
  }
  C[row * n + col] = sum;
}

int main() {
  DeviceArray<float> A(48 * 48), B(48 * 48), C(48 * 48);
  matmul<<<dim3(3, 3), dim3(16, 16)>>>(A, B, C, 48);
  return finish();
}
