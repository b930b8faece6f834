// expect: error constant-out-of-bounds [A]
// A table of structs in constant memory is indexed with a kind that has no entry; the read stands
// in a device function.
#include "../device_array.h"

struct Material {
  float density;
  float stiffness;
};

__constant__ Material materials[3] = {{1.0f, 2.0f}, {3.0f, 4.0f}, {5.0f, 6.0f}};

__device__ float stiffness(int kind) {
  return materials[kind].stiffness;  // [A]
}

__global__ void stiffen(float* out) {
  const int i = threadIdx.y * blockDim.x + threadIdx.x;
  out[i] = stiffness(i % 4);
}

int main() {
  DeviceArray<float> out(64);
  stiffen<<<1, dim3(8, 8)>>>(out);
  return finish();
}
