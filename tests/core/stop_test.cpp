#include "edmund/core/stop.h"

#include "edmund/core/save_request.h"
#include "support/catch.h"

#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

namespace edmund {
namespace {

/// How a child process ends that runs `act` and then leaves with code 7.
template <typename Act>
int end_of_child(Act act) {
  const pid_t child = ::fork();
  if (child == 0) {
    // not those of the test program
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) std::signal(signal, SIG_DFL);
    act();
    ::_exit(7);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

}  // namespace

TEST_CASE("the first signal is a request and the second one ends the process", "[core]") {
  for (const int signal : {SIGINT, SIGTERM}) {
    const int asked = end_of_child([&] {
      const StopRequest stop;
      if (StopRequest::requested()) ::_exit(1);
      std::raise(signal);
      if (!StopRequest::requested()) ::_exit(2);
    });
    CHECK((WIFEXITED(asked) && WEXITSTATUS(asked) == 7));
    const int ended = end_of_child([&] {
      const StopRequest stop;
      std::raise(SIGINT);
      std::raise(signal);
    });
    CHECK((WIFSIGNALED(ended) && WTERMSIG(ended) == signal));
  }
}

TEST_CASE("SIGHUP asks to stop and does not insist", "[core]") {
  const int status = end_of_child([&] {
    const StopRequest stop;
    std::raise(SIGHUP);
    if (!StopRequest::requested()) ::_exit(1);
    std::raise(SIGHUP);
  });
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 7));
  const int under_nohup = end_of_child([] {
    std::signal(SIGHUP, SIG_IGN);
    const StopRequest stop;
    std::raise(SIGHUP);
    if (StopRequest::requested()) ::_exit(1);
  });
  CHECK((WIFEXITED(under_nohup) && WEXITSTATUS(under_nohup) == 7));
}

TEST_CASE("SIGUSR1 asks to save, once each, and never to stop", "[core]") {
  const int status = end_of_child([] {
    const StopRequest stop;
    if (take_save_request()) ::_exit(1);
    std::raise(SIGUSR1);
    std::raise(SIGUSR1);
    if (StopRequest::requested() || !take_save_request() || take_save_request()) ::_exit(2);
    std::raise(SIGUSR1);
    if (!take_save_request()) ::_exit(3);
    std::raise(SIGINT);
    if (!StopRequest::requested()) ::_exit(4);
  });
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 7));
}

TEST_CASE("a signal that was held back while the process started is a request", "[core]") {
  const int status = end_of_child([] {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
    std::raise(SIGTERM);
    const StopRequest stop;
    if (!StopRequest::requested()) ::_exit(1);
  });
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 7));
}

TEST_CASE("a check throws when asked to stop, while a stop request lives", "[core]") {
  {
    const StopRequest stop;
    CHECK_NOTHROW(StopRequest::check());
    StopRequest::request();
    CHECK_THROWS_AS(StopRequest::check(), Interrupted);
  }
  CHECK(StopRequest::requested());
  CHECK_NOTHROW(StopRequest::check());
}

TEST_CASE("without a stop request signals act as before", "[core]") {
  const int ended = end_of_child([] {
    { const StopRequest stop; }
    std::raise(SIGTERM);
  });
  CHECK((WIFSIGNALED(ended) && WTERMSIG(ended) == SIGTERM));
}

TEST_CASE("a request lasts until the next outermost stop request", "[core]") {
  {
    const StopRequest outer;
    {
      const StopRequest inner;
      std::raise(SIGTERM);
    }
    const StopRequest another;
    CHECK(StopRequest::requested());
  }
  CHECK(StopRequest::requested());
  const StopRequest fresh;
  CHECK_FALSE(StopRequest::requested());
  StopRequest::request();
  CHECK(StopRequest::requested());
}

}  // namespace edmund
