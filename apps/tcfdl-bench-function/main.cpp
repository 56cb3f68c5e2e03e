// The function that `tcfdl bench call` calls: the first 64 bytes of the body are the result.
#include <tcfdl/function.hpp>

#include <algorithm>

int main() {
  return tcfdl::serve([](tcfdl::TaskContext&, tcfdl::BytesView body) -> tcfdl::Result<tcfdl::Bytes> {
    return tcfdl::Bytes(body.begin(),
                        body.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(body.size(), 64)));
  });
}
