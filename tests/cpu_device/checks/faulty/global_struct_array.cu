// expect: error global-out-of-bounds [A]
// An array of structs is walked with a count of elements of another array; only one member is
// touched.
#include "../device_array.h"

struct Particle {
  float3 position;
  float3 velocity;
  int cell;
};

__global__ void assign_cells(Particle* particles, int n) {
  for (int i = threadIdx.x; i < n; i += blockDim.x) {
    particles[i].cell = i / 4;  // [A]
  }
}

int main() {
  DeviceArray<Particle> particles(33);
  assign_cells<<<1, 32>>>(particles, 36);
  return finish();
}
