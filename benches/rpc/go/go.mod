module gorpc

go 1.27
