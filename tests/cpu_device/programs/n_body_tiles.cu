// One step of an n-body simulation, all pairs, positions streamed through shared tiles of float4.
#include <cuda_runtime.h>

#include "check.h"

constexpr int kTile = 64;

__device__ float3 add_interaction(float4 a, float4 b, float3 acceleration) {
  const float3 r = make_float3(b.x - a.x, b.y - a.y, b.z - a.z);
  const float distance2 = r.x * r.x + r.y * r.y + r.z * r.z + 0.01f;
  const float inverse = rsqrtf(distance2);
  const float s = b.w * inverse * inverse * inverse;
  acceleration.x += r.x * s;
  acceleration.y += r.y * s;
  acceleration.z += r.z * s;
  return acceleration;
}

__global__ void accelerate(const float4* bodies, float3* accelerations, int n) {
  __shared__ float4 tile[kTile];
  const int i = blockIdx.x * kTile + threadIdx.x;
  const float4 body = i < n ? bodies[i] : make_float4(0, 0, 0, 0);
  float3 acceleration = {0.0f, 0.0f, 0.0f};
  for (int first = 0; first < n; first += kTile) {
    const int j = first + threadIdx.x;
    tile[threadIdx.x] = j < n ? bodies[j] : make_float4(0.0f, 0.0f, 0.0f, 0.0f);  // no mass
    __syncthreads();
#pragma unroll 8
    for (int k = 0; k < kTile; ++k) acceleration = add_interaction(body, tile[k], acceleration);
    __syncthreads();
  }
  if (i < n) accelerations[i] = acceleration;
}

int main() {
  const int n = 300;
  std::vector<float4> bodies(n);
  unsigned state = 7;
  auto next = [&] { return (state = state * 1664525u + 1013904223u) / 4294967296.0f; };
  for (float4& body : bodies) body = make_float4(next(), next(), next(), next());
  float4* d_bodies = upload(bodies);
  float3* d_accelerations = upload(std::vector<float3>(n, make_float3(NAN, NAN, NAN)));
  accelerate<<<(n + kTile - 1) / kTile, kTile>>>(d_bodies, d_accelerations, n);
  CHECK_LAUNCH();
  std::vector<float3> accelerations = download(d_accelerations, n);
  for (int i = 0; i < n; ++i) {
    double sum[3] = {0, 0, 0}, scale = 0;
    for (int j = 0; j < n; ++j) {
      const double r[3] = {
          static_cast<double>(bodies[j].x) - bodies[i].x,
          static_cast<double>(bodies[j].y) - bodies[i].y,
          static_cast<double>(bodies[j].z) - bodies[i].z};
      const double d2 = r[0] * r[0] + r[1] * r[1] + r[2] * r[2] + 0.01;
      for (int k = 0; k < 3; ++k) sum[k] += r[k] * bodies[j].w / (d2 * std::sqrt(d2));
      scale += bodies[j].w / d2;
    }
    CHECK_NEAR(accelerations[i].x, sum[0], 1e-5 * scale);
    CHECK_NEAR(accelerations[i].y, sum[1], 1e-5 * scale);
    CHECK_NEAR(accelerations[i].z, sum[2], 1e-5 * scale);
  }
  CHECK_CUDA(cudaFree(d_bodies));
  CHECK_CUDA(cudaFree(d_accelerations));
  return check_result();
}
