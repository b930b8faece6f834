// Inputs are marked read-only; the kernel reads them and writes next to them.
#include "../device_vector.h"

__global__ void double_values(const int* in, int* out) { out[threadIdx.x] = 2 * in[threadIdx.x]; }

int main() {
  DeviceVector<int> in(iota<int>(64)), both(iota<int>(64)), out(64);
#ifdef CPU_DEVICE
  cpuDeviceMarkReadOnly(in, 64 * sizeof(int));
  cpuDeviceMarkReadOnly(both, 32 * sizeof(int));
#endif
  double_values<<<1, 64>>>(in, out);
  double_values<<<1, 32>>>(both, both + 32);
  CHECK_LAUNCH();
  for (int i = 0; i < 64; ++i) CHECK_EQ(out.host()[i], 2 * i);
  for (int i = 0; i < 32; ++i) CHECK_EQ(both.host()[32 + i], 2 * i);
  return check_result();
}
