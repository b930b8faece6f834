#include "token_walk.h"

namespace cpu_device {
namespace {

bool opens(const Token& token) { return token.is("(") || token.is("[") || token.is("{"); }
bool closes(const Token& token) { return token.is(")") || token.is("]") || token.is("}"); }

// Keywords that end an expression when one walks backwards over it.
bool is_statement_keyword(const Token& token) {
  return token.is("return") || token.is("else") || token.is("do") || token.is("case") ||
         token.is("co_return") || token.is("throw");
}

// `if (x)`, `while (x)` and the like: parentheses that belong to a statement.
bool is_control_keyword(const Token& token) {
  return token.is("if") || token.is("while") || token.is("for") || token.is("switch") ||
         is_statement_keyword(token);
}

}  // namespace

size_t closing_bracket(const Tokens& tokens, size_t open) {
  size_t depth = 0;
  for (size_t i = open; i < tokens.size(); ++i) {
    if (opens(tokens[i])) ++depth;
    if (closes(tokens[i]) && --depth == 0) return i;
  }
  return kNone;
}

size_t opening_bracket(const Tokens& tokens, size_t close) {
  size_t depth = 0;
  for (size_t i = close + 1; i-- > 0;) {
    if (closes(tokens[i])) ++depth;
    if (opens(tokens[i]) && --depth == 0) return i;
  }
  return kNone;
}

size_t opening_angle(const Tokens& tokens, size_t close) {
  size_t depth = 0;
  for (size_t i = close + 1; i-- > 0;) {
    if (closes(tokens[i])) {
      i = opening_bracket(tokens, i);
      if (i == kNone) return kNone;
    } else if (tokens[i].is(">")) {
      const bool arrow = i > 0 && tokens[i - 1].is("-") && tokens[i - 1].end() == tokens[i].offset;
      if (!arrow) ++depth;
    } else if (tokens[i].is("<")) {
      if (--depth == 0) return i;
    } else if (tokens[i].is(";") || opens(tokens[i])) {
      return kNone;
    }
  }
  return kNone;
}

bool is_triple(const Tokens& tokens, size_t i, char c) {
  for (size_t k = i; k < i + 3; ++k) {
    if (k >= tokens.size() || tokens[k].text.size() != 1 || tokens[k].text[0] != c) return false;
    if (k > i && tokens[k - 1].end() != tokens[k].offset) return false;
  }
  return true;
}

size_t expression_begin(const Tokens& tokens, size_t end) {
  size_t i = end;
  while (i > 0) {
    const Token& last = tokens[i - 1];
    if (last.is(")") || last.is("]")) {
      const size_t open = opening_bracket(tokens, i - 1);
      if (open == kNone) return i;
      i = open;
      // What was indexed or called, unless the parentheses stand on their own.
      const bool callee =
          i > 0 &&
          (tokens[i - 1].is("]") || tokens[i - 1].is(">") ||
           (tokens[i - 1].kind == TokenKind::kIdentifier && !is_control_keyword(tokens[i - 1])));
      if (!callee) return i;
      continue;
    }
    if (last.is(">")) {
      const size_t open = opening_angle(tokens, i - 1);
      if (open == kNone) return i;
      i = open;
      continue;
    }
    if (last.kind != TokenKind::kIdentifier || is_statement_keyword(last)) return i;
    --i;
    // A qualifier in front of the name?
    if (i > 0 && tokens[i - 1].is("template")) --i;
    if (i > 0 && tokens[i - 1].is("::")) {
      --i;
      const bool qualified =
          i > 0 && (tokens[i - 1].is(">") || (tokens[i - 1].kind == TokenKind::kIdentifier &&
                                              !is_statement_keyword(tokens[i - 1])));
      if (!qualified) return i;
    } else if (i > 0 && tokens[i - 1].is(".")) {
      --i;
    } else if (i > 1 && tokens[i - 1].is(">") && tokens[i - 2].is("-")) {
      i -= 2;
    } else {
      return i;
    }
  }
  return i;
}

std::vector<Range> split_at_commas(const Tokens& tokens, Range list) {
  std::vector<Range> parts;
  if (list.begin >= list.end) return parts;
  size_t begin = list.begin;
  size_t angles = 0;
  for (size_t i = list.begin; i < list.end; ++i) {
    if (opens(tokens[i])) {
      const size_t close = closing_bracket(tokens, i);
      if (close == kNone || close >= list.end) break;
      i = close;
    } else if (tokens[i].is("<")) {
      ++angles;
    } else if (tokens[i].is(">") && angles > 0) {
      --angles;
    } else if (tokens[i].is(",") && angles == 0) {
      parts.push_back({begin, i});
      begin = i + 1;
    }
  }
  parts.push_back({begin, list.end});
  return parts;
}

size_t find_default(const Tokens& tokens, Range range) {
  for (size_t i = range.begin; i < range.end; ++i) {
    if (opens(tokens[i])) {
      const size_t close = closing_bracket(tokens, i);
      if (close == kNone) return range.end;
      i = close;
    } else if (tokens[i].is("=")) {
      return i;
    }
  }
  return range.end;
}

std::string join(const Tokens& tokens, Range range) {
  std::string text;
  for (size_t i = range.begin; i < range.end; ++i) {
    if (i > range.begin && tokens[i - 1].end() != tokens[i].offset) text += ' ';
    text += tokens[i].text;
  }
  return text;
}

}  // namespace cpu_device
