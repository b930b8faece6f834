// A loop goes on while any thread has changed something: a flag with a barrier before, between and
// after its reset, its writes and its reads.
#include "../device_vector.h"

__global__ void spread_minimum(int* values) {
  __shared__ int line[96];
  __shared__ bool changed;
  const int t = threadIdx.x;
  line[t] = values[t];
  for (;;) {
    __syncthreads();
    if (t == 0) changed = false;
    const int left = t > 0 ? line[t - 1] : line[t];
    __syncthreads();
    if (left < line[t]) {
      line[t] = left;
      changed = true;
    }
    __syncthreads();
    if (!changed) break;
  }
  values[t] = line[t];
}

int main() {
  std::vector<int> values(96);
  for (int i = 0; i < 96; ++i) values[i] = i < 7 ? 7 - i : 50 + i % 3;
  DeviceVector<int> d_values(values);
  spread_minimum<<<1, 96>>>(d_values);
  CHECK_LAUNCH();
  values = d_values.host();
  for (int i = 0; i < 96; ++i) CHECK_EQ(values[i], i < 7 ? 7 - i : 1);
  return check_result();
}
