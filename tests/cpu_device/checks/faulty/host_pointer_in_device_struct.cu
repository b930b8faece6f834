// expect: error host-pointer [A]
// The struct was copied to the device, the array it points to was not.
#include <vector>

#include "../device_array.h"

struct Table {
  const float* values;
  int count;
};

__global__ void sum(const Table* table, float* out) {
  float total = 0.0f;
  for (int i = 0; i < table->count; ++i) {
    total += table->values[i];  // [A]
  }
  out[threadIdx.x] = total;
}

int main() {
  const std::vector<float> values(10, 1.0f);
  const Table table{values.data(), 10};
  DeviceArray<Table> d_table(1);
  DeviceArray<float> out(1);
  cudaMemcpy(d_table, &table, sizeof table, cudaMemcpyHostToDevice);
  sum<<<1, 1>>>(d_table, out);
  return finish();
}
