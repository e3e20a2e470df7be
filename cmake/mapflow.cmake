# mapflow_library(NAME FOLDERS… IMPLEMENTS… LIBRARIES…): the static library of src/NAME from all its sources.
#   FOLDERS:    the folders of src/ it may include, as their library targets
#   IMPLEMENTS: single headers of other folders that it may include as well: interfaces that it implements. Nothing is
#               linked for them; tests/layering reads them.
#   LIBRARIES:  system libraries; they stay private, because each is wrapped in one place
function(mapflow_library name)
  cmake_parse_arguments(ARG "" "" "FOLDERS;IMPLEMENTS;LIBRARIES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")  # belongs to a program
  if(NOT sources)
    return()
  endif()
  add_library(mapflow_${name} STATIC ${sources})
  target_include_directories(mapflow_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  foreach(folder ${ARG_FOLDERS})
    target_link_libraries(mapflow_${name} PUBLIC mapflow_${folder})
  endforeach()
  target_link_libraries(mapflow_${name} PRIVATE ${ARG_LIBRARIES})
endfunction()

# mapflow_program(NAME FOLDERS… SOURCES… LIBRARIES…): one executable in the build folder's root, with the allocator of
# dependencies.cmake. The target `programs` builds all of them, and no tests.
add_custom_target(programs)
function(mapflow_program name)
  cmake_parse_arguments(ARG "" "" "FOLDERS;SOURCES;LIBRARIES" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  foreach(folder ${ARG_FOLDERS})
    target_link_libraries(${name} PRIVATE mapflow_${folder})
  endforeach()
  target_link_libraries(${name} PRIVATE ${ARG_LIBRARIES} ${MAPFLOW_ALLOCATOR})
  add_dependencies(programs ${name})
endfunction()

# mapflow_test(NAME FOLDERS… LIBRARIES…): the doctest program of tests/NAME, registered with ctest as NAME. It may use
# what tests/support has for all of them.
function(mapflow_test name)
  cmake_parse_arguments(ARG "" "" "FOLDERS;LIBRARIES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(test_${name} ${sources} ${PROJECT_SOURCE_DIR}/tests/support/main.cpp)
  target_link_libraries(test_${name} PRIVATE mapflow_test_support)
  target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR})
  foreach(folder ${ARG_FOLDERS})
    target_link_libraries(test_${name} PRIVATE mapflow_${folder})
  endforeach()
  target_link_libraries(test_${name} PRIVATE ${ARG_LIBRARIES})
  target_compile_definitions(test_${name} PRIVATE MAPFLOW_SOURCE_DIR="${PROJECT_SOURCE_DIR}" MAPFLOW_BUILD_DIR="${CMAKE_BINARY_DIR}")
  add_test(NAME ${name} COMMAND test_${name} WORKING_DIRECTORY ${CMAKE_BINARY_DIR})
endfunction()
