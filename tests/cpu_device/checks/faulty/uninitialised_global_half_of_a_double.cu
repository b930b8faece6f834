// expect: error uninitialised-global [A]
// Only the lower 4 bytes of each 8-byte value are written. A tool that keeps one bit per word, set
// by any write, may take the whole for initialised.
#include "../device_array.h"

__global__ void write_low_words(unsigned* words) { words[2 * threadIdx.x] = threadIdx.x; }

__global__ void read_values(const unsigned long long* values, unsigned long long* out) {
  out[threadIdx.x] = values[threadIdx.x];  // [A]
}

int main() {
  DeviceArray<unsigned long long> values(32, Fill::kNone), out(32);
  write_low_words<<<1, 32>>>(reinterpret_cast<unsigned*>(values.get()));
  read_values<<<1, 32>>>(values, out);
  return finish();
}
