// Tokens of preprocessed C++: enough of the language to find declarations, calls and their brackets.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace cpu_device {

enum class TokenKind { kIdentifier, kNumber, kLiteral, kPunctuation, kPragma };

struct Token {
  TokenKind kind;
  std::string_view
      text;       // part of the source; punctuation comes one character at a time, except ::
  size_t offset;  // of text in the source

  bool is(std::string_view wanted) const { return text == wanted; }
  size_t end() const { return offset + text.size(); }
};

// The tokens of the parts of a preprocessed file that do not come from system headers. A pragma line is one token.
// Literals, raw strings included, are one token each; comments are skipped.
std::vector<Token> tokenize(std::string_view source);

}  // namespace cpu_device
