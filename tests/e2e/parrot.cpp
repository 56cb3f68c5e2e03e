// A function that gives its body back while it comes; with the argument `count` it says how many bytes there were.
#include <cstring>
#include <tcfdl/function.hpp>

int main(int argc, char** argv) {
  const bool counts = argc > 1 && std::strcmp(argv[1], "count") == 0;
  return tcfdl::serve(tcfdl::StreamHandler(
      [counts](tcfdl::TaskContext&, tcfdl::BodyReader& body, tcfdl::BodyWriter& result) -> tcfdl::Status {
        tcfdl::Bytes piece(65536);
        std::uint64_t total = 0;
        for (;;) {
          const auto got = body.read(piece);
          if (!got) return got.error();
          if (*got == 0) return counts ? result.write(tcfdl::as_bytes(std::to_string(total))) : tcfdl::Status();
          total += *got;
          if (counts) continue;
          if (auto written = result.write(tcfdl::BytesView(piece).first(*got)); !written) return written;
          if (auto sent = result.flush(); !sent) return sent;
        }
      }));
}
