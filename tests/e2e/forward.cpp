// A function that calls the function which its body names, and answers by which way.
#include <tcfdl/function.hpp>

int main() {
  return tcfdl::serve(
      tcfdl::Handler([](tcfdl::TaskContext& task, tcfdl::BytesView body) -> tcfdl::Result<tcfdl::Bytes> {
        const auto called = task.call(std::string(tcfdl::as_text(body)), body);
        if (!called) return called.error();
        return tcfdl::to_bytes(called->report.route);
      }));
}
