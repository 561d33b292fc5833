# cmake -DPROGRAM=edmund-core -DOUTPUT=answers.h -P EdmundAnswers.cmake: takes down what the program
# answers to what needs no LibTorch.
set(text "#pragma once\n\nnamespace edmund {\n")
foreach(pair "Version|--version" "Help|--help" "List|list" "ListJson|list;--json" "Bash|completion;bash" "Zsh|completion;zsh"
             "Fish|completion;fish")
  string(REPLACE "|" ";" parts "${pair}")
  list(POP_FRONT parts name)
  execute_process(COMMAND ${CMAKE_COMMAND} -E env ASAN_OPTIONS=detect_leaks=0 ${PROGRAM} ${parts} OUTPUT_VARIABLE answer COMMAND_ERROR_IS_FATAL ANY)
  string(APPEND text "inline constexpr const char* k${name}Answer = R\"EDMUND(${answer})EDMUND\";\n")
endforeach()
string(APPEND text "}  // namespace edmund\n")
file(WRITE ${OUTPUT} "${text}")
