// Attention in its plainest form, one thread per query row with a score row in global memory,
// against a double precision reference; heads on grid y, ragged sizes.
#include <cuda_runtime.h>

#include "check.h"

__global__ void attention(
    const float* Q, const float* K, const float* V, float* S, float* O, int N_q, int N_k, int d,
    float scale) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const int head = blockIdx.y;
  if (i >= N_q) return;
  const float* q = Q + (head * N_q + i) * d;
  const float* k = K + head * N_k * d;
  const float* v = V + head * N_k * d;
  float* s = S + (head * N_q + i) * N_k;
  float* o = O + (head * N_q + i) * d;
  float m = -INFINITY;
  for (int j = 0; j < N_k; ++j) {
    float dot = 0.0f;
    for (int x = 0; x < d; ++x) dot += q[x] * k[j * d + x];
    s[j] = dot * scale;
    m = fmaxf(m, s[j]);
  }
  float l = 0.0f;
  for (int j = 0; j < N_k; ++j) {
    s[j] = expf(s[j] - m);
    l += s[j];
  }
  for (int x = 0; x < d; ++x) {
    float sum = 0.0f;
    for (int j = 0; j < N_k; ++j) sum += s[j] * v[j * d + x];
    o[x] = sum / l;
  }
}

int main() {
  const int shapes[][4] = {{1, 1, 1, 1}, {2, 33, 17, 8}, {3, 64, 64, 16}, {1, 5, 100, 33}};
  for (const auto& shape : shapes) {
    const int heads = shape[0], N_q = shape[1], N_k = shape[2], d = shape[3];
    auto values = [](int n, unsigned state) {
      std::vector<float> v(n);
      for (float& x : v) {
        state = state * 1664525u + 1013904223u;
        x = static_cast<float>(state >> 16) / 32768.0f - 1.0f;
      }
      return v;
    };
    std::vector<float> Q = values(heads * N_q * d, 1), K = values(heads * N_k * d, 2);
    std::vector<float> V = values(heads * N_k * d, 3);
    float *d_Q = upload(Q), *d_K = upload(K), *d_V = upload(V);
    float* d_S = upload(std::vector<float>(heads * N_q * N_k, NAN));
    float* d_O = upload(std::vector<float>(heads * N_q * d, NAN));
    const float scale = 1.0f / std::sqrt(static_cast<float>(d));
    attention<<<dim3((N_q + 31) / 32, heads), 32>>>(d_Q, d_K, d_V, d_S, d_O, N_q, N_k, d, scale);
    CHECK_LAUNCH();
    std::vector<float> O = download(d_O, heads * N_q * d);
    for (int row = 0; row < heads * N_q; ++row) {
      const int head = row / N_q;
      std::vector<double> p(N_k), o(d, 0.0);
      double m = -INFINITY, l = 0.0;
      for (int j = 0; j < N_k; ++j) {
        for (int x = 0; x < d; ++x) {
          p[j] += static_cast<double>(Q[row * d + x]) * K[(head * N_k + j) * d + x] * scale;
        }
        m = std::fmax(m, p[j]);
      }
      for (int j = 0; j < N_k; ++j) l += p[j] = std::exp(p[j] - m);
      for (int j = 0; j < N_k; ++j) {
        for (int x = 0; x < d; ++x) o[x] += p[j] / l * V[(head * N_k + j) * d + x];
      }
      for (int x = 0; x < d; ++x) CHECK_NEAR(O[row * d + x], o[x], 5e-6);
    }
    for (float* p : {d_Q, d_K, d_V, d_S, d_O}) CHECK_CUDA(cudaFree(p));
  }
  return check_result();
}
