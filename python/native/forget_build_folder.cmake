# Takes the build's own folder out of a library's search path: the package loads the CPU device first.
file(RPATH_REMOVE FILE ${LIBRARY})
