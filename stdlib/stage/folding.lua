return { make = function() return nil, { reason = 'not yet' } end }
