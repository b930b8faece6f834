// expect: error misaligned [A]
// Rows of 18 floats are read as float4: every second row begins at a multiple of 8 only. All four members are used: of
// fewer, nvcc makes 4-byte loads.
#include "../device_array.h"

__global__ void row_heads(const float* matrix, float* out, int cols) {
  const float* row = matrix + blockIdx.x * cols;
  const float4 head = reinterpret_cast<const float4*>(row)[threadIdx.x];  // [A]
  out[blockIdx.x * blockDim.x + threadIdx.x] = head.x + head.y + head.z + head.w;
}

int main() {
  DeviceArray<float> matrix(6 * 18), out(6 * 4);
  row_heads<<<6, 4>>>(matrix, out, 18);
  return finish();
}
