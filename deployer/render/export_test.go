package render

// Refuse is what happens when the kernel refuses the first child its namespaces.
func (r *Renderer) Refuse(err error) bool { return r.children.without(err) }
