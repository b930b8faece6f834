#include "online_attention.h"

#include <cmath>

void online_attention(
    const float* Q, const float* K, const float* V, float* O, int N, int d, float softmax_scale) {
  constexpr int kMostD = 64;
  for (int i = 0; i < N; ++i) {
    float q[kMostD], o[kMostD];
    for (int k = 0; k < d; ++k) {
      q[k] = Q[i * d + k];
      o[k] = 0.0f;
    }
    float m = -INFINITY, l = 0.0f;
    for (int j = 0; j < N; ++j) {
      float s = 0.0f;
      for (int k = 0; k < d; ++k) s += q[k] * K[j * d + k];
      s *= softmax_scale;
      const float m_new = fmaxf(m, s);
      const float rescale = expf(m - m_new);
      const float p = expf(s - m_new);
      m = m_new;
      l = l * rescale + p;
      for (int k = 0; k < d; ++k) o[k] = o[k] * rescale + p * V[j * d + k];
    }
    for (int k = 0; k < d; ++k) O[i * d + k] = o[k] / l;
  }
}
