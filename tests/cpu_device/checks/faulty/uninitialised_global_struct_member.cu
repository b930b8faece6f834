// expect: error uninitialised-global [A]
// The kernel that makes the particles forgets one member.
#include "../device_array.h"

struct Particle {
  float position;
  float velocity;
  float mass;
};

__global__ void create(Particle* particles) {
  Particle& p = particles[blockIdx.x * blockDim.x + threadIdx.x];
  p.position = 0.5f * threadIdx.x;
  p.mass = 1.0f;
}

__global__ void move(Particle* particles, float dt) {
  Particle& p = particles[blockIdx.x * blockDim.x + threadIdx.x];
  const float step = dt * p.velocity;  // [A]
  p.position += step;
}

int main() {
  DeviceArray<Particle> particles(96, Fill::kNone);
  create<<<3, 32>>>(particles);
  move<<<3, 32>>>(particles, 0.1f);
  return finish();
}
