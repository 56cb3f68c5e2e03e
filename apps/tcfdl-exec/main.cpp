#include "exec/program.hpp"

int main(int count, char** arguments) {
  const std::span<char* const> all(arguments, static_cast<std::size_t>(count));
  return tcfdl::exec::run(all.subspan(all.empty() ? 0 : 1));
}
