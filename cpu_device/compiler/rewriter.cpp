#include "rewriter.h"

#include <algorithm>
#include <cctype>
#include <vector>

#include "token_walk.h"

namespace cpu_device {
namespace {

// The largest dynamic shared memory of any GPU; the launch decides how much of it is legal.
constexpr const char* kDynamicSharedBuffer =
    "extern \"C\" { __attribute__((weak, visibility(\"hidden\"), aligned(1024))) "
    "__thread unsigned char cpu_device_dynamic_shared[233472]; }\n";

bool is_type_keyword(std::string_view word) {
  static constexpr std::string_view kWords[] = {
      "void", "bool",  "char",     "short",  "int",      "long",         "float",     "double",
      "auto", "const", "volatile", "signed", "unsigned", "__restrict__", "__restrict"};
  return std::find(std::begin(kWords), std::end(kWords), word) != std::end(kWords);
}

bool takes_parentheses(const Token& token) {
  return token.is("__attribute__") || token.is("__launch_bounds__") || token.is("alignas") ||
         token.is("decltype") || token.is("noexcept") || token.is("__declspec") ||
         token.is("__typeof__");
}

class Rewriter {
 public:
  Rewriter(std::string_view source, RewriteMode mode)
      : source_(source), mode_(mode), tokens_(tokenize(source)) {}

  std::string run() {
    for (size_t i = 0; i < tokens_.size(); ++i) {
      const Token& token = tokens_[i];
      if (token.kind == TokenKind::kPragma) {
        pragma(token);
      } else if (token.is("{")) {
        scopes_.push_back(scope_that_opens_at(i));
      } else if (token.is("}")) {
        if (!scopes_.empty()) scopes_.pop_back();
      } else if (token.is("<") && is_triple(tokens_, i, '<')) {
        launch(i);
        i += 2;
      } else if (token.is("__global__")) {
        kernel(i);
      } else if (token.is("__shared__")) {
        shared_variable(i);
      } else if (token.is("__launch_bounds__") && i + 1 < tokens_.size()) {
        const size_t close = closing_bracket(tokens_, i + 1);
        if (close != kNone) erase({i, close + 1});
      } else if (token.is("__device__") || token.is("__constant__") || token.is("__managed__")) {
        device_entity(i);
      } else if (
          token.is("__noinline__") && i > 0 && !tokens_[i - 1].is("(") && !tokens_[i - 1].is(",")) {
        replace(token, "__attribute__((noinline))");
      }
    }
    return apply();
  }

 private:
  enum class Scope { kNamespace, kClass, kCode };

  struct Edit {
    size_t offset;
    size_t length;
    std::string text;
  };

  void insert(size_t offset, std::string text) { edits_.push_back({offset, 0, std::move(text)}); }
  void replace(const Token& token, std::string text) {
    edits_.push_back({token.offset, token.text.size(), std::move(text)});
  }
  // Removes tokens, leaving their line breaks.
  void erase(Range range) {
    for (size_t i = range.begin; i < range.end; ++i) replace(tokens_[i], "");
  }

  std::string apply() {
    std::stable_sort(edits_.begin(), edits_.end(), [](const Edit& a, const Edit& b) {
      return a.offset < b.offset;
    });
    std::string result;
    size_t at = 0;
    if (uses_dynamic_shared_ && mode_ == RewriteMode::kFast) {
      // Behind the first line, from which the compiler takes the name of the file.
      at = source_.find('\n') + 1;
      result = std::string(source_.substr(0, at)) + kDynamicSharedBuffer;
    }
    for (const Edit& edit : edits_) {
      result += source_.substr(at, edit.offset - at);
      result += edit.text;
      at = edit.offset + edit.length;
    }
    result += source_.substr(at);
    return result;
  }

  bool in_code() const {
    return std::find(scopes_.begin(), scopes_.end(), Scope::kCode) != scopes_.end();
  }
  bool at_namespace_scope() const {
    return std::all_of(
        scopes_.begin(), scopes_.end(), [](Scope s) { return s == Scope::kNamespace; });
  }

  // What a brace opens, from the tokens of the declaration in front of it.
  Scope scope_that_opens_at(size_t brace) const {
    for (size_t i = brace; i-- > 0;) {
      const Token& token = tokens_[i];
      if (token.is(";") || token.is("{") || token.is("}") || token.is(")") || token.is("=")) break;
      if (token.is("namespace")) return Scope::kNamespace;
      if (token.is("extern")) return Scope::kNamespace;
      if (token.is("class") || token.is("struct") || token.is("union") || token.is("enum")) {
        return Scope::kClass;
      }
    }
    return Scope::kCode;
  }

  void pragma(const Token& token) {
    // "#pragma unroll", "#pragma unroll 4", "#pragma unroll(4)", "#pragma nounroll"
    std::string_view rest = token.text;
    const auto skip = [&rest](std::string_view word) {
      while (!rest.empty() && (rest[0] == ' ' || rest[0] == '\t')) rest.remove_prefix(1);
      if (rest.substr(0, word.size()) != word) return false;
      rest.remove_prefix(word.size());
      return true;
    };
    if (!skip("#") || !skip("pragma")) return;
    if (skip("nounroll")) {
      replace(token, "#pragma GCC unroll 1");
    } else if (skip("unroll")) {
      // Every access of an unrolled loop is instrumented: for one kernel g++ took 41 s in place of 1 s.
      if (mode_ == RewriteMode::kChecked) return replace(token, "");
      std::string digits;
      for (const char c : rest) {
        if (std::isdigit(static_cast<unsigned char>(c))) {
          digits += c;
        } else if (c != ' ' && c != '(' && c != ')' && c != '\t') {
          digits.clear();  // an expression: its value is not known here
          break;
        }
      }
      replace(token, "#pragma GCC unroll " + (digits.empty() ? "16" : digits));
    } else if (skip("nv_") || skip("hd_warning_disable")) {
      replace(token, "");
    }
  }

  // tokens_[i..i+2] are <<<. The configuration stays where it is; the callee moves behind it.
  void launch(size_t i) {
    if (i > 0 && tokens_[i - 1].is("operator")) return;
    size_t close = kNone;
    for (size_t k = i + 3; k < tokens_.size(); ++k) {
      const Token& token = tokens_[k];
      if (token.is("(") || token.is("[") || token.is("{")) {
        k = closing_bracket(tokens_, k);
        if (k == kNone) return;
      } else if (token.is(";") || token.is("}")) {
        return;
      } else if (is_triple(tokens_, k, '>') && k + 3 < tokens_.size() && tokens_[k + 3].is("(")) {
        close = k;
        break;
      }
    }
    if (close == kNone) return;
    const size_t end = closing_bracket(tokens_, close + 3);
    const size_t begin = expression_begin(tokens_, i);
    if (end == kNone || begin == i) return;
    insert(tokens_[begin].offset, "(::cpu_device::configure(");
    erase({begin, i + 3});
    edits_.push_back({tokens_[close].offset, 3, ") ? (void)0 : " + join(tokens_, {begin, i})});
    insert(tokens_[end].end(), ")");
  }

  // tokens_[i] is __global__: makes a definition its own host stub.
  void kernel(size_t i) {
    replace(tokens_[i], "__attribute__((noinline, noclone))");
    size_t open = kNone;
    for (size_t k = i + 1; k < tokens_.size() && open == kNone; ++k) {
      if (tokens_[k].is("(")) {
        open = k;
      } else if (tokens_[k].is("[") || (takes_parentheses(tokens_[k]) && k + 1 < tokens_.size())) {
        k = closing_bracket(tokens_, tokens_[k].is("[") ? k : k + 1);
        if (k == kNone) return;
      } else if (tokens_[k].is(";") || tokens_[k].is("{")) {
        return;
      }
    }
    if (open == kNone) return;
    const size_t close = closing_bracket(tokens_, open);
    if (close == kNone) return;
    size_t brace = close + 1;
    if (brace < tokens_.size() && tokens_[brace].is("noexcept")) ++brace;
    if (brace >= tokens_.size() || !tokens_[brace].is("{")) return;

    std::string types, names;
    size_t number = 0;
    for (const Range& parameter : split_at_commas(tokens_, {open + 1, close})) {
      const Range declared{parameter.begin, find_default(tokens_, parameter)};
      if (declared.end - declared.begin == 1 && tokens_[declared.begin].is("void")) continue;
      std::string name = parameter_name(declared);
      if (name.empty()) {
        name = "cpu_device_argument_" + std::to_string(number);
        insert(tokens_[declared.end - 1].end(), " " + name);
      }
      const bool pack = std::any_of(
          tokens_.begin() + static_cast<ptrdiff_t>(declared.begin),
          tokens_.begin() + static_cast<ptrdiff_t>(declared.end),
          [](const Token& token) { return token.is("."); });
      types += (number > 0 ? ", " : "") + join(tokens_, declared);
      names += (number > 0 ? ", " : "") + name + (pack ? "..." : "");
      ++number;
    }
    const size_t name_begin = expression_begin(tokens_, open);
    std::string bounds;
    for (size_t k = declaration_begin(i); k < open; ++k) {
      if (!tokens_[k].is("__launch_bounds__")) continue;
      const auto values = split_at_commas(tokens_, {k + 2, closing_bracket(tokens_, k + 1)});
      if (!values.empty()) bounds = ", static_cast<unsigned>(" + join(tokens_, values[0]) + ")";
    }
    const std::string self = join(tokens_, {name_begin, open}) + template_arguments(i);
    insert(
        tokens_[brace].end(),
        " if (!::cpuDeviceInKernel()) return ::cpu_device::Kernel<static_cast<void (*)(" + types +
            ")>(" + self + ")" + bounds + ">::stub(" + names + ");");
  }

  // Name of a declared parameter, or "" where it has none.
  std::string parameter_name(Range declared) const {
    size_t end = declared.end;
    for (size_t i = declared.begin; i < declared.end; ++i) {
      if (tokens_[i].is("[")) {
        if (i + 1 < declared.end && tokens_[i + 1].is("[")) {  // an attribute
          i = closing_bracket(tokens_, i);
          if (i == kNone) return "";
          continue;
        }
        end = i;
        break;
      }
      // A pointer to a function or array: (*name)
      if (tokens_[i].is("(") && i + 1 < declared.end &&
          (tokens_[i + 1].is("*") || tokens_[i + 1].is("&"))) {
        const Token& name = tokens_[i + 2];
        return name.kind == TokenKind::kIdentifier ? std::string(name.text) : "";
      }
    }
    if (end == declared.begin) return "";
    const Token& last = tokens_[end - 1];
    if (last.kind != TokenKind::kIdentifier || is_type_keyword(last.text)) return "";
    if (end - 1 == declared.begin || tokens_[end - 2].is("::")) return "";
    const bool has_type = std::any_of(
        tokens_.begin() + static_cast<ptrdiff_t>(declared.begin),
        tokens_.begin() + static_cast<ptrdiff_t>(end - 1), [](const Token& token) {
          return !token.is("const") && !token.is("volatile") && !token.is("typename") &&
                 !token.is("struct");
        });
    return has_type ? std::string(last.text) : "";
  }

  // First of the specifiers and attributes in front of tokens_[i].
  size_t declaration_begin(size_t i) const {
    size_t k = i;
    while (k > 0) {
      if (tokens_[k - 1].kind == TokenKind::kIdentifier) {
        --k;
      } else if (tokens_[k - 1].is(")") || tokens_[k - 1].is("]")) {
        const size_t open = opening_bracket(tokens_, k - 1);
        if (open == kNone) return k;
        k = open;
      } else {
        return k;
      }
    }
    return k;
  }

  // "<D, T>" when tokens_[i] belongs to a primary template with parameters D and T, else "".
  std::string template_arguments(size_t i) const {
    const size_t k = declaration_begin(i);
    if (k == 0 || !tokens_[k - 1].is(">")) return "";
    const size_t angle = opening_angle(tokens_, k - 1);
    if (angle == kNone || angle == 0 || !tokens_[angle - 1].is("template")) return "";
    std::string names;
    for (const Range& parameter : split_at_commas(tokens_, {angle + 1, k - 1})) {
      const Range declared{parameter.begin, find_default(tokens_, parameter)};
      const Token& last = tokens_[declared.end - 1];
      const bool named = declared.end - declared.begin > 1 && last.kind == TokenKind::kIdentifier &&
                         !is_type_keyword(last.text);
      if (!named) break;  // it has a default, and so have all after it
      const bool pack = tokens_[declared.end - 2].is(".");
      names += (names.empty() ? "" : ", ") + std::string(last.text) + (pack ? "..." : "");
    }
    return names.empty() ? "" : "<" + names + ">";
  }

  // tokens_[i] is __shared__.
  void shared_variable(size_t i) {
    size_t begin = i;
    bool is_extern = false;
    while (begin > 0 && tokens_[begin - 1].kind == TokenKind::kIdentifier) {
      --begin;
      if (tokens_[begin].is("extern")) is_extern = true;
      if (tokens_[begin].is("static")) replace(tokens_[begin], "");
    }
    for (size_t k = i + 1; k < tokens_.size() && tokens_[k].kind == TokenKind::kIdentifier; ++k) {
      if (tokens_[k].is("extern")) is_extern = true;
      if (tokens_[k].is("static")) replace(tokens_[k], "");
    }
    if (!is_extern && mode_ == RewriteMode::kFast) return replace(tokens_[i], "static __thread");
    if (!is_extern) return checked_shared_variable(i);
    uses_dynamic_shared_ = true;
    dynamic_shared_variable(begin);
  }

  // tokens_[i] is the __shared__ of a variable that cucc --check compiles: `__shared__ float x[4];` becomes a reference to
  // memory that the checks know, and a thread-local variable of the same size that only the symbol table is to see.
  void checked_shared_variable(size_t i) {
    size_t end = i;
    while (end < tokens_.size() && !tokens_[end].is(";")) {
      if (tokens_[end].is("{") || tokens_[end].is("(") || tokens_[end].is("[")) {
        end = closing_bracket(tokens_, end);
        if (end == kNone) return;
      }
      ++end;
    }
    if (end >= tokens_.size()) return;
    replace(tokens_[i], "");
    std::string sizes;
    for (const Range& declarator : split_at_commas(tokens_, {i + 1, end})) {
      const size_t name = declarator_name(declarator);
      if (name == kNone) return;
      const std::string text(tokens_[name].text);
      const bool array = name + 1 < declarator.end;
      insert(tokens_[name].offset, array ? "(&" : "&");
      if (array) insert(tokens_[name].end(), ")");
      insert(
          tokens_[declarator.end - 1].end(),
          " = reinterpret_cast<decltype(" + text +
              ")>(*static_cast<char*>(::cpuDeviceSharedPlace("
              "[]() -> const void* { static char key; return &key; }(), sizeof(" +
              text + "), \"" + text + "\")))");
      sizes += " __attribute__((used)) static __thread char cpu_device_size_of_" + text +
               "[sizeof(" + text + ")];";
    }
    insert(tokens_[end].end(), sizes);
  }

  // Index of the name that a declarator declares, its type in front of it or not; kNone where there is none.
  size_t declarator_name(Range declarator) const {
    const size_t stop = find_default(tokens_, declarator);
    size_t after = stop;
    for (size_t k = declarator.begin; k < stop; ++k) {
      const bool bracket = tokens_[k].is("[") || tokens_[k].is("{");
      const bool names = k > declarator.begin && tokens_[k - 1].kind == TokenKind::kIdentifier;
      const bool type_body = tokens_[k].is("{") && (k - 1 == declarator.begin || !names ||
                                                    is_class_head(declarator.begin, k));
      if (bracket && names && !type_body) {
        after = k;
        break;
      }
      if (is_pointer_declarator(k)) return k + 2;
      if (bracket || tokens_[k].is("(")) {
        k = closing_bracket(tokens_, k);
        if (k == kNone) return kNone;
      }
    }
    if (after == declarator.begin || tokens_[after - 1].kind != TokenKind::kIdentifier)
      return kNone;
    return after - 1;
  }

  // tokens_[k] begins "(*name)": a pointer to a function or to an array.
  bool is_pointer_declarator(size_t k) const {
    return k + 3 < tokens_.size() && tokens_[k].is("(") && tokens_[k + 1].is("*") &&
           tokens_[k + 2].kind == TokenKind::kIdentifier && tokens_[k + 3].is(")");
  }

  bool is_class_head(size_t begin, size_t brace) const {
    for (size_t k = begin; k < brace; ++k) {
      if (tokens_[k].is("struct") || tokens_[k].is("union") || tokens_[k].is("class")) return true;
    }
    return false;
  }

  // The declaration that begins at tokens_[begin] is an extern __shared__ one.
  void dynamic_shared_variable(size_t begin) {
    size_t end = begin;
    while (end < tokens_.size() && !tokens_[end].is(";")) ++end;
    if (end == tokens_.size()) return;
    size_t name = end - 1;
    for (size_t k = begin; k < end; ++k) {
      if (tokens_[k].is("[")) {
        name = k - 1;
        break;
      }
      if (takes_parentheses(tokens_[k]) && k + 1 < end) k = closing_bracket(tokens_, k + 1);
    }
    const bool array = name + 1 < end;
    if (!in_code() && mode_ == RewriteMode::kChecked) {
      replace_uses(begin, name, end);
      return;
    }
    if (!in_code()) {  // one name for the whole file: an alias of the buffer
      for (size_t k = begin; k < name; ++k) {
        if (tokens_[k].is("__shared__")) replace(tokens_[k], "__thread");
      }
      insert(tokens_[end].offset, " __asm__(\"cpu_device_dynamic_shared\")");
      return;
    }
    for (size_t k = begin; k < name; ++k) {
      const bool alignment = takes_parentheses(tokens_[k]) && !tokens_[k].is("decltype");
      if (tokens_[k].is("extern") || tokens_[k].is("__shared__")) {
        replace(tokens_[k], "");
      } else if (alignment) {
        const size_t close = closing_bracket(tokens_, k + 1);
        erase({k, close + 1});
        k = close;
      }
    }
    insert(tokens_[name].offset, array ? "(&" : "&");
    if (array) insert(tokens_[name].end(), ")");
    insert(
        tokens_[end].offset, " = reinterpret_cast<decltype(" + std::string(tokens_[name].text) +
                                 ")>(" + dynamic_shared_memory() + ")");
  }

  std::string dynamic_shared_memory() const {
    return mode_ == RewriteMode::kFast ? "cpu_device_dynamic_shared"
                                       : "*static_cast<char*>(::cpuDeviceDynamicShared())";
  }

  // A file-wide extern __shared__ array: every use of its name becomes a pointer to the block's memory.
  void replace_uses(size_t begin, size_t name, size_t end) {
    std::string type;
    for (size_t k = begin; k < name; ++k) {
      if (takes_parentheses(tokens_[k])) {
        k = closing_bracket(tokens_, k + 1);
      } else if (!tokens_[k].is("extern") && !tokens_[k].is("__shared__")) {
        type += std::string(tokens_[k].text) + " ";
      }
    }
    const std::string_view word = tokens_[name].text;
    erase({begin, end});
    for (size_t k = end; k < tokens_.size(); ++k) {
      const bool member = tokens_[k - 1].is(".") || tokens_[k - 1].is("::") ||
                          (tokens_[k - 1].is(">") && tokens_[k - 2].is("-"));
      if (tokens_[k].text == word && tokens_[k].kind == TokenKind::kIdentifier && !member) {
        replace(tokens_[k], "(static_cast<" + type + "*>(::cpuDeviceDynamicShared()))");
      }
    }
  }

  // tokens_[i] is __device__, __constant__ or __managed__: registers a variable, leaves everything else alone.
  void device_entity(size_t i) {
    replace(tokens_[i], "");
    // Of several such qualifiers in one declaration the first speaks for all.
    for (size_t k = i; k-- > 0 && tokens_[k].kind == TokenKind::kIdentifier;) {
      if (tokens_[k].is("__device__") || tokens_[k].is("__constant__") ||
          tokens_[k].is("__managed__"))
        return;
      if (tokens_[k].is("extern") || tokens_[k].is("__global__")) return;
    }
    if (!at_namespace_scope() || !template_arguments(i).empty()) return;
    size_t end = i + 1;
    bool has_initializer = false;
    bool is_pointer = false;  // to a function or an array: what follows are its parameters
    for (; end < tokens_.size() && !tokens_[end].is(";"); ++end) {
      const Token& token = tokens_[end];
      if (token.is("extern") || token.is("operator")) return;
      if (token.is("=")) has_initializer = true;
      if (takes_parentheses(token) && end + 1 < tokens_.size() && tokens_[end + 1].is("("))
        ++end;
      else if (is_pointer_declarator(end))
        is_pointer = true;
      else if (token.is("(") && !has_initializer && !is_pointer)
        return;  // a function
      if (tokens_[end].is("(") || tokens_[end].is("[") || tokens_[end].is("{")) {
        end = closing_bracket(tokens_, end);
        if (end == kNone) return;
      }
    }
    if (end >= tokens_.size()) return;
    const bool constant =
        tokens_[i].is("__constant__") || (i + 1 < end && tokens_[i + 1].is("__constant__"));
    std::string registration;
    for (const Range& declarator : split_at_commas(tokens_, {i + 1, end})) {
      const size_t name = declarator_name(declarator);
      if (name == kNone) return;
      const std::string variable(tokens_[name].text);
      registration += " [[maybe_unused]] static const int cpu_device_variable_" +
                      std::to_string(variables_++) +
                      " = ::cpuDeviceRegisterVariable((const void*)&" + variable + ", sizeof(" +
                      variable + "), \"" + variable + "\", " + (constant ? "1" : "0") + ");";
    }
    insert(tokens_[end].end(), registration);
  }

  std::string_view source_;
  RewriteMode mode_;
  Tokens tokens_;
  std::vector<Edit> edits_;
  std::vector<Scope> scopes_;
  bool uses_dynamic_shared_ = false;
  size_t variables_ = 0;
};

}  // namespace

std::string rewrite(std::string_view source, RewriteMode mode) {
  return Rewriter(source, mode).run();
}

}  // namespace cpu_device
