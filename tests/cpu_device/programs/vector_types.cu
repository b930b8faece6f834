// Vector types: size, alignment, make_ functions, member order, copies through shared memory and
// by value.
#include <cuda_runtime.h>

#include "check.h"

static_assert(sizeof(char2) == 2 && alignof(char2) == 2, "char2");
static_assert(sizeof(uchar4) == 4 && alignof(uchar4) == 4, "uchar4");
static_assert(sizeof(short4) == 8 && alignof(short4) == 8, "short4");
static_assert(sizeof(int2) == 8 && alignof(int2) == 8, "int2");
static_assert(sizeof(int3) == 12 && alignof(int3) == 4, "int3");
static_assert(sizeof(int4) == 16 && alignof(int4) == 16, "int4");
static_assert(sizeof(uint4) == 16 && alignof(uint4) == 16, "uint4");
static_assert(sizeof(float1) == 4 && alignof(float1) == 4, "float1");
static_assert(sizeof(float2) == 8 && alignof(float2) == 8, "float2");
static_assert(sizeof(float3) == 12 && alignof(float3) == 4, "float3");
static_assert(sizeof(float4) == 16 && alignof(float4) == 16, "float4");
static_assert(sizeof(double2) == 16 && alignof(double2) == 16, "double2");
static_assert(sizeof(longlong2) == 16 && alignof(longlong2) == 16, "longlong2");
static_assert(sizeof(dim3) == 12, "dim3");

__host__ __device__ inline float3 operator+(float3 a, float3 b) {
  return make_float3(a.x + b.x, a.y + b.y, a.z + b.z);
}
__host__ __device__ inline float dot(const float4& a, const float4& b) {
  return a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
}

struct Particle {
  float4 position;
  float3 velocity;
  uchar4 color;
  int2 cell;
};

__global__ void use_all(Particle* particles, float2 shift, int4 bias, double2* wide) {
  __shared__ float4 positions[32];
  const int i = threadIdx.x;
  Particle p = particles[i];
  positions[i] = p.position;
  __syncthreads();
  float4 other = positions[31 - i];
  other.x += shift.x;
  (&other.x)[1] += shift.y;  // members are contiguous
  p.position = other;
  p.velocity = p.velocity + make_float3(1, 2, 3);
  p.color.w = static_cast<unsigned char>(p.color.x + p.color.y);
  p.cell = make_int2(bias.w + i, bias.x - i);
  particles[i] = p;
  double2 d = {1.0 / 3, dot(other, make_float4(1, 1, 1, 1))};
  wide[i] = d;
}

int main() {
  std::vector<Particle> particles(32);
  for (int i = 0; i < 32; ++i) {
    const float f = static_cast<float>(i);
    particles[i] = {
        {f, 2 * f, 3 * f, 4 * f}, {f, f, f}, make_uchar4(i, 200, 3, 0), make_int2(0, 0)};
  }
  Particle* d_particles = upload(particles);
  double2* d_wide = upload(std::vector<double2>(32));
  use_all<<<1, 32>>>(d_particles, make_float2(0.5f, 0.25f), make_int4(10, 20, 30, 40), d_wide);
  CHECK_LAUNCH();
  std::vector<Particle> out = download(d_particles, 32);
  std::vector<double2> wide = download(d_wide, 32);
  for (int i = 0; i < 32; ++i) {
    const float f = 31.0f - i;
    CHECK_EQ(out[i].position.x, f + 0.5f);
    CHECK_EQ(out[i].position.y, 2 * f + 0.25f);
    CHECK_EQ(out[i].position.z, 3 * f);
    CHECK_EQ(out[i].position.w, 4 * f);
    CHECK_EQ(out[i].velocity.x + out[i].velocity.y + out[i].velocity.z, 3.0f * i + 6.0f);
    CHECK_EQ(static_cast<int>(out[i].color.w), (i + 200) % 256);
    CHECK_EQ(static_cast<int>(out[i].color.z), 3);
    CHECK_EQ(out[i].cell.x, 40 + i);
    CHECK_EQ(out[i].cell.y, 10 - i);
    CHECK_EQ(wide[i].x, 1.0 / 3);
    CHECK_EQ(wide[i].y, 10.0 * f + 0.75);
  }
  uint4 u = make_uint4(1u, 2u, 3u, 4000000000u);
  CHECK_EQ(u.w, 4000000000u);
  float1 single = make_float1(2.5f);
  CHECK_EQ(single.x, 2.5f);
  longlong2 pair = make_longlong2(1ll << 40, -1);
  CHECK_EQ(pair.x, 1ll << 40);
  dim3 fallback(7);
  CHECK_EQ(fallback.x * 100 + fallback.y * 10 + fallback.z, 711u);
  uint3 from_dim3 = dim3(1, 2, 3);
  CHECK_EQ(from_dim3.z, 3u);
  CHECK_CUDA(cudaFree(d_particles));
  CHECK_CUDA(cudaFree(d_wide));
  return check_result();
}
