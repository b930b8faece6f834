#include "plain_attention.h"

#include <cmath>

void plain_attention(
    const float* Q, const float* K, const float* V, float* S, float* O, long N, long d,
    float softmax_scale) {
  for (long i = 0; i < N; ++i) {
    const float* q_row = Q + i * d;
    float* s_row = S + i * N;
    float m = -INFINITY;
    for (long j = 0; j < N; ++j) {
      float s = 0.0f;
      for (long k = 0; k < d; ++k) s += q_row[k] * K[j * d + k];
      s *= softmax_scale;
      s_row[j] = s;
      m = fmaxf(m, s);
    }
    float l = 0.0f;
    for (long j = 0; j < N; ++j) {
      const float p = expf(s_row[j] - m);
      s_row[j] = p;
      l += p;
    }
    for (long k = 0; k < d; ++k) {
      float o = 0.0f;
      for (long j = 0; j < N; ++j) o += s_row[j] * V[j * d + k];
      O[i * d + k] = o / l;
    }
  }
}
