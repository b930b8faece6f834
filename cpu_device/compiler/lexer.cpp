#include "lexer.h"

#include <cctype>
#include <string>
#include <utility>

namespace cpu_device {
namespace {

bool starts_identifier(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) || c == '_' || c == '$' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool continues_identifier(char c) {
  return starts_identifier(c) || std::isdigit(static_cast<unsigned char>(c));
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) {
      const char c = source_[at_];
      if (c == '\n') {
        line_start_ = true;
        ++at_;
      } else if (std::isspace(static_cast<unsigned char>(c))) {
        ++at_;
      } else if (c == '#' && line_start_) {
        directive();
      } else if (in_system_header_) {
        skip_line();
      } else {
        line_start_ = false;
        token(c);
      }
    }
    return std::move(tokens_);
  }

 private:
  char peek(size_t ahead) const {
    return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0';
  }
  void skip_line() {
    while (at_ < source_.size() && source_[at_] != '\n') ++at_;
  }
  void add(TokenKind kind, size_t begin) {
    tokens_.push_back({kind, source_.substr(begin, at_ - begin), begin});
  }

  // `# 12 "file" flags` (flag 3: a system header) or a pragma.
  void directive() {
    const size_t begin = at_;
    skip_line();
    const std::string_view line = source_.substr(begin, at_ - begin);
    if (line.size() > 2 && line[1] == ' ' && std::isdigit(static_cast<unsigned char>(line[2]))) {
      const size_t quote = line.rfind('"');
      in_system_header_ = quote != std::string_view::npos &&
                          line.substr(quote).find(" 3") != std::string_view::npos;
    } else if (!in_system_header_) {
      add(TokenKind::kPragma, begin);
    }
  }

  void token(char c) {
    const size_t begin = at_;
    if (c == '/' && peek(1) == '/') {
      skip_line();
    } else if (c == '/' && peek(1) == '*') {
      const size_t end = source_.find("*/", at_ + 2);
      at_ = end == std::string_view::npos ? source_.size() : end + 2;
    } else if (starts_identifier(c)) {
      while (at_ < source_.size() && continues_identifier(source_[at_])) ++at_;
      const std::string_view word = source_.substr(begin, at_ - begin);
      if (peek(0) == '"' && !word.empty() && word.back() == 'R' && is_prefix(word)) {
        raw_string();
        add(TokenKind::kLiteral, begin);
      } else if ((peek(0) == '"' || peek(0) == '\'') && is_prefix(word)) {
        quoted(peek(0));
        add(TokenKind::kLiteral, begin);
      } else {
        add(TokenKind::kIdentifier, begin);
      }
    } else if (
        std::isdigit(static_cast<unsigned char>(c)) ||
        (c == '.' && std::isdigit(static_cast<unsigned char>(peek(1))))) {
      number();
      add(TokenKind::kNumber, begin);
    } else if (c == '"' || c == '\'') {
      quoted(c);
      add(TokenKind::kLiteral, begin);
    } else {
      at_ += c == ':' && peek(1) == ':' ? 2 : 1;
      add(TokenKind::kPunctuation, begin);
    }
  }

  static bool is_prefix(std::string_view word) {
    return word == "R" || word == "L" || word == "u" || word == "U" || word == "u8" ||
           word == "LR" || word == "uR" || word == "UR" || word == "u8R";
  }

  void number() {
    while (at_ < source_.size()) {
      const char c = source_[at_];
      const bool exponent =
          (c == 'e' || c == 'E' || c == 'p' || c == 'P') && (peek(1) == '+' || peek(1) == '-');
      const bool separator = c == '\'' && continues_identifier(peek(1));
      if (exponent || separator) {
        at_ += 2;
      } else if (continues_identifier(c) || c == '.') {
        ++at_;
      } else {
        return;
      }
    }
  }

  void quoted(char quote) {
    ++at_;
    while (at_ < source_.size() && source_[at_] != quote && source_[at_] != '\n') {
      at_ += source_[at_] == '\\' ? 2 : 1;
    }
    if (at_ < source_.size()) ++at_;
  }

  void raw_string() {
    const size_t open = source_.find('(', at_);
    if (open == std::string_view::npos) return quoted('"');
    const std::string close = ")" + std::string(source_.substr(at_ + 1, open - at_ - 1)) + "\"";
    const size_t end = source_.find(close, open);
    at_ = end == std::string_view::npos ? source_.size() : end + close.size();
  }

  std::string_view source_;
  size_t at_ = 0;
  bool line_start_ = true;
  bool in_system_header_ = false;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) { return Lexer(source).run(); }

}  // namespace cpu_device
