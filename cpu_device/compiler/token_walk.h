// Moving over tokens by brackets and declarations, forwards and backwards.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lexer.h"

namespace cpu_device {

using Tokens = std::vector<Token>;

constexpr size_t kNone = static_cast<size_t>(-1);

// Index of the bracket that closes the one at `open` ((, [ or {), or kNone.
size_t closing_bracket(const Tokens& tokens, size_t open);
// Index of the bracket that opens the one at `close`, or kNone.
size_t opening_bracket(const Tokens& tokens, size_t close);
// The same for template argument lists: > back to its <, or kNone.
size_t opening_angle(const Tokens& tokens, size_t close);

// Whether three of the same character stand side by side at i, as in <<< and >>>.
bool is_triple(const Tokens& tokens, size_t i, char c);

// First token of the postfix expression that ends just before `end`: `ns::kernel<64>`, `table[i]`, `(*f)`.
size_t expression_begin(const Tokens& tokens, size_t end);

// Half-open ranges of tokens between commas outside all brackets, template brackets included. Empty for an empty range.
struct Range {
  size_t begin, end;
};
std::vector<Range> split_at_commas(const Tokens& tokens, Range list);

// Index of a top-level = in the range, or its end: where a default argument or initialiser begins.
size_t find_default(const Tokens& tokens, Range range);

// Text of a range on one line.
std::string join(const Tokens& tokens, Range range);

}  // namespace cpu_device
