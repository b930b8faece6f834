// Each thread uses a column of shared memory for itself, and a part of global scratch: no barrier
// is needed.
#include "../device_vector.h"

__global__ void private_slots(int* scratch, int* out) {
  __shared__ int columns[8][64];
  const int t = threadIdx.x, i = blockIdx.x * 64 + t, n = gridDim.x * 64;
  for (int k = 0; k < 8; ++k) {
    columns[k][t] = k * t;
    scratch[k * n + i] = k;
  }
  int sum = 0;
  for (int k = 0; k < 8; ++k) sum += columns[7 - k][t] * scratch[k * n + i];
  out[i] = sum;
}

int main() {
  DeviceVector<int> scratch(8 * 128), out(128);
  private_slots<<<2, 64>>>(scratch, out);
  CHECK_LAUNCH();
  const std::vector<int> seen = out.host();
  for (int i = 0; i < 128; ++i) CHECK_EQ(seen[i], 56 * (i % 64));
  return check_result();
}
