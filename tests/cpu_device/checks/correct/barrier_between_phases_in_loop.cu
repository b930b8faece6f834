// Odd-even transposition sort: neighbours are swapped in place, one barrier per phase.
#include "../device_vector.h"

__global__ void sort(const int* in, int* out) {
  __shared__ int values[128];
  const int t = threadIdx.x;
  values[t] = in[t];
  for (int phase = 0; phase < 128; ++phase) {
    __syncthreads();  // the pairs of the phase before are done
    if (t % 2 == phase % 2 && t + 1 < 128 && values[t] > values[t + 1]) {
      const int greater = values[t];
      values[t] = values[t + 1];
      values[t + 1] = greater;
    }
  }
  __syncthreads();
  out[t] = values[t];
}

int main() {
  std::vector<int> in(128);
  for (int i = 0; i < 128; ++i) in[i] = i * 77 % 128;
  DeviceVector<int> d_in(in), d_out(128);
  sort<<<1, 128>>>(d_in, d_out);
  CHECK_LAUNCH();
  const std::vector<int> out = d_out.host();
  for (int i = 0; i < 128; ++i) CHECK_EQ(out[i], i);
  return check_result();
}
