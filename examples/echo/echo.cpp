// A first function: the result is the body.
#include <tcfdl/function.hpp>

int main() {
  return tcfdl::serve([](tcfdl::TaskContext&, tcfdl::BytesView body) -> tcfdl::Result<tcfdl::Bytes> {
    return tcfdl::Bytes(body.begin(), body.end());
  });
}
