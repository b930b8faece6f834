// expect: error misaligned [A]
// allow: error misaligned [B]
// Records of 20 bytes are read as structs of two doubles: the member of every second record lies
// at a multiple of 4 only.
#include "../device_array.h"

struct Sample {
  double value;
  double weight;
};

template <typename T>
__device__ const T& at(const unsigned char* bytes, int stride, int i) {
  return *reinterpret_cast<const T*>(bytes + i * stride);  // [B]
}

__global__ void weights(const unsigned char* bytes, double* out) {
  const int i = threadIdx.x;
  out[i] = at<Sample>(bytes, 20, i).weight;  // [A]
}

int main() {
  DeviceArray<unsigned char> bytes(20 * 32);
  DeviceArray<double> out(32);
  weights<<<1, 32>>>(bytes, out);
  return finish();
}
