// The mistakes that students make, lesson by lesson, each in the sizes of tiles in which it comes.
#pragma once

#include <vector>

#include "misconceptions.h"

namespace judge {

std::vector<Mistake> naive_mistakes();   // of a first kernel
std::vector<Mistake> tiled_mistakes();   // that come with tiles of K and V
std::vector<Mistake> online_mistakes();  // with a running maximum and sum
std::vector<Mistake> vector_mistakes();  // with float4
std::vector<Mistake> causal_mistakes();  // with the causal mask
std::vector<Mistake>
partitioned_mistakes();  // with grouped heads, and work divided as FlashAttention-2 does

}  // namespace judge
